"""The tasks of the tutorials that the engine in `models` grew from, one command each.

``python -m examples.NAME --help`` tells what each does:

lstm_step_by_step
    One step of an LSTM: every gate, its shape and its value.
mnist_rows
    Digits read row by row by one LSTM; the loop over time dynamic and static.
mnist_stacked
    Three layers on top of each other: simple RNN, LSTM and GRU.
mnist_bidirectional
    Two layers that read in both directions.
characters
    A model of text, letter by letter, and new text drawn from it.
"""
