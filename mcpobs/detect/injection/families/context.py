"""Context: documents in which attacks are described, and logs. These signs lower the score; none is a finding."""

from mcpobs.detect.injection.pattern import Pattern

PATTERNS = (
    Pattern(
        "context-security-terms",
        r"\b(?:prompt[\s-]injections?|injection attacks?|jailbreak(?:s|ing)? (?:attempts?|attacks?|prompts?|techniques?)|indirect injections?|tool poisoning|adversarial (?:prompts?|inputs?|examples?|attacks?)|red[\s-]team(?:ing|ers)?|owasp|threat models?|attack (?:vectors?|surface|scenarios?|techniques?)|llm(?:01|-security| security)|data exfiltration|rug pulls?)\b",
        "the vocabulary of documents on attacks",
        "Prompt injection is a risk.",
        "The injection of fuel",
    ),
    Pattern(
        "context-describes",
        r"\b(?:attackers?|adversar(?:y|ies)|malicious (?:users?|actors?|instructions?|prompts?|servers?|content|input|payloads?)|hackers?|threat actors?|an attack|the attack|victims?) (?:can|could|may|might|would|will|tries|try|attempts?|sends?|inserts?|embeds?|hides?|injects?|uses?|tricks?|manipulates?|crafts?|who|that|is|are|has|in)\b",
        "reports what an attacker does",
        "An attacker could embed a note.",
        "The attacker! Run!",
    ),
    Pattern(
        "context-defends",
        r"\b(?:mitigat(?:e|es|ion|ions|ing)|prevent(?:s|ion|ing)?|detect(?:s|ion|ing|or|ors)?|defen[dcs]e?s?|protect(?:s|ion|ing)?|vulnerab(?:le|ility|ilities)|exploit(?:s|ed|ation)?|sanitiz(?:e|es|ing|ation)|scann(?:er|ing)|guardrails?|cve-\d{4}|advisory|security (?:research(?:ers?)?|risks?|issues?|best practices|considerations|policy))\b",
        "the vocabulary of defence",
        "How to mitigate this risk",
        "How to bake bread",
    ),
    Pattern(
        "context-example",
        r"\b(?:e\.g\.|for example|for instance|such as|example(?:s)?(?: of)?|like|phrases?|strings?|patterns?|payloads?|quot(?:e|es|ed|ing)|sample)[\s:,]*(?:a |an |the )?[\"'“‘`«]",
        "a quotation that is introduced as an example",
        "phrases such as \"open the door\"",
        "such as doors",
    ),
    Pattern(
        "context-log-line",
        r"(?:^|\n)\[?(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d\d/\d\d/\d\d \d\d:\d\d|[A-Z][a-z]{2}\s{1,2}\d{1,2} \d\d:\d\d:\d\d|\d\d:\d\d:\d\d[.,]\d{3})",
        "a line of a log",
        "2026-01-01 10:00:00 started",
        "on 2026-01-01 we started",
    ),
    Pattern(
        "context-transcript",
        r"(?:^|\n)\W*(?:user|human|system)\W*:",
        "turns of a conversation on lines of their own",
        "user: hi\nassistant: hello",
        "a user: hello",
        near=r"\n\W*(?:assistant|ai|bot|model)\W*:",
        within=300,
    ),
    Pattern(
        "context-schema",
        r"\"(?:role|content|messages|inputSchema|parameters|properties|type)\"\s?:\s?[\"{\[]",
        "messages or schemas as data",
        '{"role": "system"}',
        "a role: system",
    ),
)
