"""The call manager: users and their data, devices, configuration files, credentials; one node of a cluster."""
