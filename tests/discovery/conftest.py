"""The company of the doctor's tests serves these too."""

from tests.doctor.conftest import authority, company

__all__ = ["authority", "company"]
