"""Stand-ins for the Pulumi plugins `azure-native` and `command`: ResourceProvider servers that the real engine runs."""
