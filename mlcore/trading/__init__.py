"""Trades and what is counted from them: one simulator, opening ranges, registry, ledger.

This floor turns bars into outcomes by written rules. It knows no dataset, no split and no score;
whatever needs a trade's result anywhere in the house asks `trades`, so that there is one answer.
"""
