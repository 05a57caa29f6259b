"""What the company set for the person: service profile and configuration files, merged by the documented precedence."""
