"""The configuration: one YAML file, the environment and secret files become frozen settings.

Owns the keys, their defaults and bounds, and every word that says what is wrong with a configuration. It must not
know what the settings are used for: nothing here connects, listens or starts.
"""
