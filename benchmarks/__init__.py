"""One script a claim: ours and the peer in one process, interleaved, medians of ratios."""
