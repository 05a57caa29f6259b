"""What a call manager cluster keeps: people, their credentials, numbers, devices and lines. Migrations beside them."""
