"""What a deployment file may say of directories, and what is told of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.deployment import DeploymentError
from ringback.deployment import read as read_deployment
from ringback.lab.directory_sync import agreements, passwords, search, settings

_HEAD = """
domain = "example.com"
[[cluster]]
name = "head"
[[cluster]]
name = "branch"
[[node]]
name = "cm1.example.com"
address = "127.0.0.1"
roles = ["call-manager"]
cluster = "head"
[[node]]
name = "cm2.example.com"
address = "127.0.0.2"
roles = ["call-manager"]
cluster = "head"
"""
_GOOD = """
[[feature-group]]
name = "Staff"
number-pool = ["7000-7002"]
[[ldap-directory]]
name = "Office"
cluster = "head"
servers = ["ldaps://ldap.example.com"]
base = "ou=staff,ou=people,dc=example,dc=com"
feature-group = "Staff"
[ldap-directory.attributes]
directory-uri = "mail"
department = ["ou", "departmentNumber"]
[[ldap-directory]]
name = "Berlin"
cluster = "branch"
servers = ["ldaps://ldap.example.com"]
base = "ou=berlin, ou=people,dc=example,dc=com"
"""


def test_a_good_file_becomes_agreements(tmp_path: Path) -> None:
    deployment = read_deployment(
        (_HEAD + _GOOD + "[directory-search]\nenabled = true\ndirectory = 'Office'\n").encode()
    )
    office, berlin = agreements(deployment, "head", tmp_path)
    assert (office.here, berlin.here, berlin.cluster) == (True, False, "branch")
    assert office.mapping["department"] == ("ou", "departmentNumber")
    assert office.mapping["directory_uri"] == ("mail",)
    assert office.mapping["user_name"] == ("uid",)
    assert office.feature_group.pool == ("7000", "7001", "7002")
    runs = [settings(deployment, node, tmp_path) for node in deployment.nodes("call-manager")]
    assert [one is not None and one.runs for one in runs] == [True, False], "the first node of a cluster runs them"
    asked = passwords(deployment, tmp_path)
    assert asked is not None
    assert not isinstance(asked.way, str)
    assert asked.way.base == "ou=people,dc=example,dc=com"
    looked = search(deployment, "head", tmp_path)
    assert looked is not None
    assert looked.bases == (office.base,)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('servers = ["ldaps://ldap.example.com"]\nbase = "ou=staff', 'base = "ou=staff', "Office needs servers"),
        ('cluster = "branch"\nservers', 'cluster = "x"\nservers', "lives in cluster 'x'"),
        ('feature-group = "Staff"', 'feature-group = "Nobody"', "There is no feature group 'Nobody'"),
        ('directory-uri = "mail"', 'shoe-size = "mail"', "'shoe-size' is no field of a person"),
        ('name = "Berlin"', 'name = "Office"', "There are two directories named Office"),
        ('base = "ou=berlin', 'filter = "(uid="\nbase = "ou=berlin', "The filter"),
        ('base = "ou=berlin', 'largest-loss = 200\nbase = "ou=berlin', "largest-loss is 0 to 100"),
        ("7000-7002", "7000-x", "is not a range of numbers"),
        ('base = "ou=berlin', 'service-account = "cn=x"\nbase = "ou=berlin', "needs a password file"),
        ('ldap.example.com"]\nbase = "ou=berlin', 'other.example.com"]\nbase = "ou=berlin', "have other servers"),
        ("[[feature", "[directory-search]\nenabled = true\n[[feature", "There is no directory named ''"),
        ("[[feature", "[user-search]\nlimit = 501\n[[feature", "A page has 1 to 500 people"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(before: str, after: str, words: str) -> None:
    assert before in _GOOD
    with pytest.raises(DeploymentError) as caught:
        read_deployment((_HEAD + _GOOD.replace(before, after, 1)).encode())
    assert words.replace("lives", "live") in str(caught.value)
    assert all(problem.line for problem in caught.value.problems)


def test_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("secret")
    file.chmod(0o644)
    more = 'service-account = "cn=x"\npassword-file = "secret"\nbase = "ou=berlin'
    deployment = read_deployment((_HEAD + _GOOD.replace('base = "ou=berlin', more)).encode())
    with pytest.raises(DeploymentError, match="chmod 600"):
        agreements(deployment, "head", tmp_path)
