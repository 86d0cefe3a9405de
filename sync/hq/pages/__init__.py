"""Headquarters' web page: one module for each group of pages, and `app`, which stands before all of them."""
