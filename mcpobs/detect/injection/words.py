"""The vocabulary that patterns of several families share. A name here is a class of words, in any inflection."""

WORDS = {
    "ANY": r"all|any|every|each|everything|anything|whatever|the|these|those|this|that|your|my|our|its|their|of|in|to|prior|previous|previously|earlier|"
    r"above|preceding|past|former|old|original|initial|existing|current|other|given|said|standing|usual|normal|default|system|user|developer|safety|"
    r"security|so-called|aforementioned|foregoing",
    "IGNORE": r"ignor(?:e|es|ed|ing)|disregard(?:s|ed|ing)?|forget(?:s|ting)?|overlook(?:ing)?|neglect(?:ing)?|set aside|put aside|throw (?:away|out)|"
    r"do not (?:follow|obey|heed|use|listen to|comply with|adhere to)|don'?t (?:follow|obey|heed|listen to)|stop (?:following|obeying|listening to|using)|"
    r"pay no attention to|disobey|dismiss|discard|drop|abandon|erase|wipe|clear|delete|skip|cancel|void|nullify|invalidate|revoke|rescind|suspend",
    "OVERRIDE": r"overrid(?:e|es|den|ing)|overwrit(?:e|es|ten|ing)|supersed(?:e|es|ed|ing)|replac(?:e|es|ed|ing)|bypass(?:es|ed|ing)?|circumvent(?:s|ing)?|"
    r"work around|get around|break (?:out of|free from|free of)|cancels?|takes? (?:precedence|priority) over|outranks?",
    "ORDERS": r"instructions?|directions?|directives?|commands?|prompts?|orders?|guidelines?|guidance|rules|constraints?|restrictions?|programming|"
    r"training|messages?|tasks?|requests?|context|guardrails?|polic(?:y|ies)|protocols?|briefing|assignments?|conversation|input",
    "RULES": r"rules?|restrictions?|guidelines?|polic(?:y|ies)|filters?|filtering|safeguards?|safety|guardrails?|protocols?|limitations?|limits|constraints?|"
    r"protections?|censorship|moderation|ethics|ethical|boundaries|controls?|checks?|barriers|principles|alignment|morals?|norms|standards",
    "PRIOR": r"previous(?:ly)?|prior|earlier|above|preceding|past|foregoing|original|initial|existing|old|before",
    "MODEL": r"ai|a\.i\.|llms?|language models?|(?:large|ai|chat|language) (?:language )?models?|assistants?|chatbots?|chat bots?|bots?|copilot|agents?|"
    r"claude|chatgpt|gpt(?:-?[345]o?)?|gemini|llama|models?",
    "SECRET": r"passwords?|passphrases?|passwd|credentials?|secrets?|api[\s_-]?keys?|access[\s_-]?keys?|private[\s_-]?keys?|ssh[\s_-]?keys?|tokens?|"
    r"session (?:id|cookie)s?|cookies?|environment variables?|env vars?|\.env\b|id_rsa|/etc/passwd|/etc/shadow|\.ssh/|\.aws/|"
    r"credit cards?|card numbers?|passport(?: numbers?)?|social security|ssn|bank (?:account|details)|2fa|otp|one-time codes?|"
    r"secret[_-]?(?:access[_-]?)?key|seed phrase|wallet",
    "SEND": r"sends?|sending|forwards?|forwarding|e-?mails?|e-?mailing|posts?|posting|uploads?|uploading|transmits?|transmitting|exfiltrates?|leaks?|"
    r"leaking|submits?|submitting|transfers?|transferring|shares?|sharing|copy|cc|bcc|deliver|ship|push|relay|report|publish",
    "REVEAL": r"reveals?|revealing|shows?|displays?|prints?|printing|outputs?|outputting|repeats?|repeating|recites?|discloses?|disclosing|dumps?|leaks?|"
    r"exposes?|returns?|share|give me|tell me|write out|write down|echo|spell out|list|state|copy|quote|summari[sz]e|paste|append|include|translate|encode",
    "DESTROY": r"deletes?|deleting|removes?|removing|erases?|erasing|wipes?|wiping|drops?|dropping|destroys?|destroying|purges?|purging|truncates?|formats?|"
    r"formatting|uninstalls?|shut down|shuts down|disables?|terminates?|revokes?|cancels?",
    "USER": r"users?|humans?|customers?|owners?|operators?|persons?|people|clients?|anyone|anybody|them|him|her",
    "MUST": r"must|shall|should|need to|needs to|have to|has to|are (?:required|expected|instructed|ordered|obliged|requested|asked) to|is (?:required|expected|instructed) to|"
    r"make sure (?:to|you|that you)|be sure to|remember to|do not forget to|always|never|immediately|please",
}
