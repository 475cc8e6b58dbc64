"""A module for each row of the dashboard, named after it; each owns its panels' questions and queries."""
