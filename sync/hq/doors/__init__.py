"""Headquarters' doors: who may come in, what each may do, and the log of what was looked at and changed."""
