"""Inspects messages of a server before the client gets them: the section `inspect`, its inspectors, its actions.

One file per kind of inspector; `kinds` finds it by the words of `find`. Nothing here is imported without the section.
"""
