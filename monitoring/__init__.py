"""What an administrator watches: metric contract, alerts, dashboards, and their pictures."""
