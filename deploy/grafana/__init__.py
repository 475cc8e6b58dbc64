"""The Grafana dashboard as code: rows of panels as plain values, and the JSON that Grafana imports.

`python -m deploy.grafana` writes the JSON; it is committed, and a test holds it to this code.
"""
