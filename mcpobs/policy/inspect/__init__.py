"""What comes back is inspected before it goes on: the section `inspect` of a policy, its inspectors, its actions.

One file per kind of inspector; `kinds` finds it by the words of `find`. Nothing here is imported without the section.
"""
