"""The vocabulary that patterns of several families share. A name here is a class of words, in any inflection."""

WORDS = {
    "ANY": (
        r"all|any|every|each|everything|anything|whatever|the|these|those|this|that|your|my|our|its|their|of|"
        r"in|to|prior|previous|previously|earlier|above|preceding|past|former|old|original|initial|existing|"
        r"current|other|given|said|standing|usual|normal|default|system|user|developer|safety|security|and|or|"
        r"following|subsequent|later|so-called|aforementioned|foregoing"
    ),
    "IGNORE": (
        r"ignor(?:e|es|ed|ing)|disregard(?:s|ed|ing)?|forget(?:s|ting)?|overlook(?:ing)?|neglect(?:ing)?|"
        r"set aside|put aside|throw (?:away|out)|(?:do not|never|no longer|must not|should not) (?:follow|"
        r"obey|heed|listen to|comply with|adhere to|apply|respect)|don'?t (?:follow|obey|heed|listen to|"
        r"comply with|adhere to|apply|respect)|stop (?:following|obeying|listening to|using)|"
        r"pay no attention to|disobey|dismiss|discard|drop|abandon|erase|wipe|clear|delete|skip|cancel|void|"
        r"nullify|invalidate|revoke|rescind|suspend"
    ),
    "OVERRIDE": (
        r"overrid(?:e|es|den|ing)|overwrit(?:e|es|ten|ing)|supersed(?:e|es|ed|ing)|replac(?:e|es|ed|ing)|"
        r"bypass(?:es|ed|ing)?|circumvent(?:s|ing)?|work around|get around|break (?:out of|free from|free of)|"
        r"cancels?|takes? (?:precedence|priority) over|outranks?"
    ),
    "ORDERS": (
        r"instructions?|directions?|directives?|commands?|prompts?|orders?|guidelines?|guidance|rules|"
        r"constraints?|restrictions?|programming|training|messages?|tasks?|requests?|context|guardrails?|"
        r"polic(?:y|ies)|protocols?|briefing|assignments?|conversation|input"
    ),
    "RULES": (
        r"rules?|restrictions?|guidelines?|polic(?:y|ies)|filters?|filtering|safeguards?|safety|guardrails?|"
        r"protocols?|limitations?|limits|constraints?|protections?|censorship|moderation|ethics|ethical|"
        r"boundaries|controls?|checks?|barriers|principles|alignment|morals?|norms|standards"
    ),
    "PRIOR": r"previous(?:ly)?|prior|earlier|above|preceding|past|foregoing|original|initial|existing|old|before",
    "MODEL": (
        r"ai|a\.i\.|llms?|language models?|(?:large|ai|chat|language) (?:language )?models?|assistants?|"
        r"chatbots?|chat bots?|bots?|copilot|agents?|claude|chatgpt|gpt(?:-?[345]o?)?|gemini|llama|models?"
    ),
    "SECRET": (
        r"passwords?|passphrases?|passwd|credentials?|secrets?|api[\s_-]?keys?|access[\s_-]?keys?|"
        r"private[\s_-]?keys?|ssh[\s_-]?keys?|tokens?|session (?:id|cookie)s?|cookies?|environment variables?|"
        r"env vars?|\.env\b|id_rsa|/etc/passwd|/etc/shadow|\.ssh/|\.aws/|credit cards?|card numbers?|"
        r"passport(?: numbers?)?|social security|ssn|bank (?:account|details)|2fa|otp|one-time codes?|"
        r"secret[_-]?(?:access[_-]?)?key|seed phrase|wallet"
    ),
    "SEND": (
        r"sends?|sending|forwards?|forwarding|e-?mails?|e-?mailing|posts?|posting|uploads?|uploading|"
        r"transmits?|transmitting|exfiltrates?|leaks?|leaking|submits?|submitting|transfers?|transferring|"
        r"shares?|sharing|copy|cc|bcc|deliver|ship|push|relay|report|publish"
    ),
    "REVEAL": (
        r"reveals?|revealing|shows?|displays?|prints?|printing|outputs?|outputting|repeats?|repeating|"
        r"recites?|discloses?|disclosing|dumps?|leaks?|exposes?|returns?|share|give me|tell me|write out|"
        r"write down|echo|spell out|list|state|copy|quote|summari[sz]e|paste|append|include|translate|encode"
    ),
    "DESTROY": (
        r"deletes?|deleting|removes?|removing|erases?|erasing|wipes?|wiping|drops?|dropping|destroys?|"
        r"destroying|purges?|purging|truncates?|formats?|formatting|uninstalls?|shut down|shuts down|"
        r"disables?|terminates?|revokes?|cancels?"
    ),
    "USER": r"users?|humans?|customers?|owners?|operators?|persons?|people|clients?|anyone|anybody|them|him|her",
    "MUST": (
        r"must|shall|should|need to|needs to|have to|has to|are (?:required|expected|instructed|ordered|"
        r"obliged|requested|asked) to|is (?:required|expected|instructed) to|make sure (?:to|you|that you)|"
        r"be sure to|remember to|do not forget to|always|never|immediately|please"
    ),
}
