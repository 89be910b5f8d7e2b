"""Context: documents that describe attacks, and transcripts. Attacks found beside these signs weigh less; no sign is a finding."""

from mcpobs.detect.injection.pattern import Pattern

PATTERNS = (
    Pattern(
        "context-security-terms",
        r"\b(?:prompt[\s-]?injections?|injection attacks?|jailbreak(?:s|ing)? (?:attempts?|attacks?|prompts?|techniques?)|indirect injections?|tool poisoning|adversarial (?:prompts?|inputs?|examples?|attacks?)|red[\s-]team(?:ing|ers)?|owasp|threat models?|attack (?:vectors?|surface|scenarios?|techniques?)|llm(?:01|-security| security)|data exfiltration|rug pulls?|(?:inyeccion|inyección) de prompts?|injection de prompts?|iniezione di prompt|injeção de prompt|prompt[\s-]?injektion)\b|промпт-?инъекц|инъекци\w+ промпт|提示(?:词)?注入|プロンプトインジェクション|프롬프트 ?인젝션|حقن ال(?:أوامر|موجه)|инъекц",
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
        r"\b(?:mitigat(?:e|es|ion|ions|ing)|vulnerab(?:le|ility|ilities)|exploitation|sanitiz(?:e|es|ing|ation)|scanners?|guardrails? (?:that|for|are|is|can|api|server)|cve-\d+|advisory|detect(?:s|ing|ion|ors?)? (?:prompt|inject|malicious|attack|jailbreak)\w*|security (?:research(?:ers?)?|risks?|best practices|considerations))\b",
        "the vocabulary of defence",
        "How to mitigate this risk",
        "How to bake bread",
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
)
