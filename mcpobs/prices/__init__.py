"""Prices calls: the book of prices, and the rules that compute a call's cost from its facts. Only `models` does any
I/O.

Money is whole numbers: micro-dollars (`_microusd`, a millionth of a US dollar), finer units only inside a price.
"""
