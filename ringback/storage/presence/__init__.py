"""What the presence service keeps: one file per concern, SQLAlchemy Core statements, migrations beside them."""
