"""Bars and their clocks: stores, sources, quality, sessions, feeds and demo markets.

This floor knows prices and calendars; it knows nothing of features, models or trades.
"""
