"""What calls cost: the book of prices, and what a rule makes of the facts of a call. Only `models` does any I/O.

Money is whole numbers: micro-dollars (`_microusd`, a millionth of a US dollar), finer ones only inside a price.
"""
