"""Writes the dashboard's JSON: python -m deploy.grafana."""

from deploy.grafana.dashboard import PATH, dashboard_json

PATH.write_text(dashboard_json(), "utf-8")
