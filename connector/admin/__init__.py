"""The HTTP side: health and metrics for machines, the status and a page for people, operations for few of them.

Owns the paths, who may ask for what, and the page's files. What it says comes from connector.status and
connector.snapshot, what it does is done by connector.operations: it decides nothing about the flow.
"""
