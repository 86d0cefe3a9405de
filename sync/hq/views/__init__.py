"""What pages of headquarters say about figures: words, shares and drawings. Pure: figures and a language in, texts and
geometry out; what came from a box is text from elsewhere and goes through `words.plain`, and callers are masked."""
