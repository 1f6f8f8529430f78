"""Who may view a topic, by the documented rules of TWiki and Foswiki, and how settings are read."""

from __future__ import annotations

import pytest

from assistant.types import PUBLIC, Access
from ingest.access import NOBODY
from ingest.connectors.twiki.access import Rules, web_settings
from ingest.connectors.twiki.topic import read_topic

FOSWIKI = Rules("foswiki", "AdminGroup")
TWIKI = Rules("twiki", "TWikiAdminGroup")
OLD = Rules("twiki", "TWikiAdminGroup", empty_deny_opens=True)

GUEST: frozenset[str] = frozenset()
ADA = frozenset({"signed-in", "user:AdaLovelace"})
BOB = frozenset({"signed-in", "user:BobBurns", "HiggsGroup"})
ADMIN = frozenset({"signed-in", "user:RootUser", "AdminGroup", "TWikiAdminGroup"})


def may(access: Access) -> str:
    """Which of the four may read, by their initials."""
    people = {"g": GUEST, "A": ADA, "B": BOB, "*": ADMIN}
    return "".join(name for name, groups in people.items() if access.allows(groups))


@pytest.mark.parametrize(
    ("topic", "web", "foswiki", "twiki"),
    [
        # Nothing set, and the web's rules.
        ({}, {}, "gAB*", "gAB*"),
        ({}, {"ALLOWWEBVIEW": "Main.HiggsGroup"}, "B*", "B*"),
        ({}, {"ALLOWWEBVIEW": "%USERSWEB%.AdaLovelace, %MAINWEB%.HiggsGroup"}, "AB*", "AB*"),
        ({}, {"DENYWEBVIEW": "HiggsGroup"}, "gA*", "gA*"),
        ({}, {"DENYWEBVIEW": "AdaLovelace", "ALLOWWEBVIEW": "AdaLovelace HiggsGroup"}, "B*", "B*"),
        ({}, {"DENYWEBVIEW": "%USERSWEB%.WikiGuest"}, "AB*", "AB*"),
        ({}, {"DENYWEBVIEW": "TWikiGuest"}, "AB*", "AB*"),
        ({}, {"DENYWEBVIEW": "!WikiGuest"}, "AB*", "AB*"),
        ({}, {"ALLOWWEBVIEW": "*"}, "gAB*", "gAB*"),
        ({}, {"DENYWEBVIEW": "*"}, "*", "*"),
        ({}, {"ALLOWWEBVIEW": "AllAuthUsersGroup"}, "*", "AB*"),
        ({}, {"ALLOWWEBVIEW": "AllUsersGroup"}, "*", "gAB*"),
        # Guests are let in, so anybody is who signs out; unless guests are denied, and then nobody is left.
        ({}, {"ALLOWWEBVIEW": "WikiGuest"}, "gAB*", "gAB*"),
        ({}, {"ALLOWWEBVIEW": "WikiGuest", "DENYWEBVIEW": "WikiGuest"}, "*", "*"),
        ({"DENYTOPICVIEW": "WikiGuest"}, {"ALLOWWEBVIEW": "WikiGuest, HiggsGroup"}, "B*", "B*"),
        ({}, {"ALLOWWEBVIEW": "Main.NobodyGroup"}, "*", "*"),
        ({}, {"ALLOWWEBVIEW": "Main/HiggsGroup"}, "*", "*"),
        ({}, {"ALLOWWEBVIEW": "Other.HiggsGroup"}, "*", "*"),
        # Whom a macro names is not known: it lets nobody in, and may deny anybody.
        ({"ALLOWTOPICVIEW": "%TOPICMAKER%"}, {}, "*", "*"),
        ({"DENYTOPICVIEW": "%MAKER%"}, {}, "*", "*"),
        ({"ALLOWTOPICVIEW": "AdaLovelace"}, {"DENYWEBVIEW": "%MAKER%"}, "A*", "A*"),
        # A topic's own ALLOW takes the place of all that the web says; its DENY is added.
        ({"ALLOWTOPICVIEW": "AdaLovelace"}, {"ALLOWWEBVIEW": "HiggsGroup"}, "A*", "A*"),
        ({"ALLOWTOPICVIEW": "*"}, {"DENYWEBVIEW": "WikiGuest", "ALLOWWEBVIEW": "HiggsGroup"}, "gAB*", "gAB*"),
        ({"ALLOWTOPICVIEW": "AdaLovelace HiggsGroup", "DENYTOPICVIEW": "HiggsGroup"}, {}, "A*", "A*"),
        ({"DENYTOPICVIEW": "AdaLovelace"}, {}, "gB*", "gB*"),
        ({"DENYTOPICVIEW": "AdaLovelace"}, {"ALLOWWEBVIEW": "AdaLovelace, HiggsGroup"}, "B*", "B*"),
        ({"DENYTOPICVIEW": "AdaLovelace"}, {"DENYWEBVIEW": "HiggsGroup"}, "g*", "g*"),
        ({"ALLOWTOPICVIEW": "*", "DENYTOPICVIEW": "%USERSWEB%.WikiGuest"}, {}, "AB*", "AB*"),
        ({"ALLOWTOPICVIEW": ",,AdaLovelace,,,"}, {}, "A*", "A*"),
        ({"ALLOWTOPICVIEW": "<nop>AdaLovelace"}, {}, "A*", "A*"),
        # Empty settings: where the engines differ.
        ({"ALLOWTOPICVIEW": ""}, {}, "gAB*", "*"),
        ({"ALLOWTOPICVIEW": " , "}, {"ALLOWWEBVIEW": "HiggsGroup"}, "B*", "*"),
        ({"DENYTOPICVIEW": ""}, {"ALLOWWEBVIEW": "HiggsGroup"}, "B*", "B*"),
        ({}, {"ALLOWWEBVIEW": " "}, "gAB*", "*"),
        ({}, {"DENYWEBVIEW": ""}, "gAB*", "gAB*"),
        # A list that begins with + has the web's too; Foswiki only where it was enabled, so there it adds nobody.
        ({"ALLOWTOPICVIEW": "+ AdaLovelace"}, {"ALLOWWEBVIEW": "HiggsGroup"}, "A*", "AB*"),
        ({"ALLOWTOPICVIEW": "*", "DENYTOPICVIEW": "+AdaLovelace"}, {"DENYWEBVIEW": "HiggsGroup"}, "g*", "g*"),
    ],
)
def test_documented_cases(topic: dict[str, str], web: dict[str, str], foswiki: str, twiki: str) -> None:
    assert may(FOSWIKI.view(topic, web)) == foswiki
    assert may(TWIKI.view(topic, web)) == twiki


def test_an_empty_deny_opens_where_the_site_says_so() -> None:
    web = {"ALLOWWEBVIEW": "HiggsGroup"}
    assert OLD.view({"DENYTOPICVIEW": " "}, web) == PUBLIC
    assert may(OLD.view({}, web)) == "B*"
    assert may(OLD.view({"DENYTOPICVIEW": "AdaLovelace"}, web)) == "B*"


def test_what_is_not_known_is_nobodys() -> None:
    assert FOSWIKI.view({}, None) == NOBODY
    assert FOSWIKI.view({"DENYTOPICVIEW": "AdaLovelace"}, None) == NOBODY
    assert may(FOSWIKI.view({"ALLOWTOPICVIEW": "HiggsGroup"}, None)) == "B*"


def test_rules_are_in_the_words_of_the_library() -> None:
    access = FOSWIKI.view({"ALLOWTOPICVIEW": "Main.AdaLovelace, HiggsGroup atlas-readers"}, {})
    assert access == Access.of("AdminGroup", "user:AdaLovelace", "HiggsGroup", "atlas-readers", "user:atlas-readers")
    assert FOSWIKI.view({}, {"DENYWEBVIEW": "BobBurns"}) == Access(PUBLIC.all_of, frozenset({"user:BobBurns"}))
    renamed = Rules("foswiki", "WizardsGroup", users_web="People")
    assert renamed.view({"ALLOWTOPICVIEW": "People.HiggsGroup"}, {}) == Access.of("WizardsGroup", "HiggsGroup")


def test_an_administrator_who_is_denied_by_name_is_not_let_in() -> None:
    """The engines would; a rule here cannot say it, and errs on the safe side."""
    assert not FOSWIKI.view({"DENYTOPICVIEW": "RootUser"}, {}).allows(ADMIN)


TEXT = """%META:TOPICINFO{author="Main.AdaLovelace" date="1229276996" format="1.1" version="3"}%
%META:TOPICPARENT{name="WebHome"}%
---+ Calorimeter
   * Set ALLOWTOPICVIEW = Main.BobBurns
<!--
   * Set DENYTOPICVIEW = Main.EveEvil,
      Main.MalMean
      * Set INNER = deep
   * #Set ALLOWTOPICCHANGE = NobodyGroup
   * Local LOCAL = here
-->
<verbatim>
\t* Set EXAMPLE=counts too
</verbatim>
  * Set TWOSPACES = no
#   * Set HASH = no
   * ==Set CODE = no==
   * Set NOTE = first
   * Set NOTE = last
%META:FILEATTACHMENT{name="plot%22.pdf" attr="h" date="1229276997" size="3" user="Main.BobBurns" version="2"}%
%META:FIELD{name="Status" attributes="S" title="Status" value="Good"}%
%META:FORM{name="PageForm"}%
%META:PREFERENCE{name="ALLOWTOPICVIEW" title="ALLOWTOPICVIEW" type="Set" value="%25USERSWEB%25.HiggsGroup"}%
%META:PREFERENCE{name="MINE" title="MINE" type="Local" value="x"}%
%META:TOPICMOVED{by="AdaLovelace" date="1229276999" from="Physics.Old" to="Physics.Calorimeter"}%
"""


def test_settings_as_the_engine_reads_them() -> None:
    topic = read_topic(TEXT)
    assert topic.settings == {
        "ALLOWTOPICVIEW": "%USERSWEB%.HiggsGroup",
        "DENYTOPICVIEW": "Main.EveEvil,\n      Main.MalMean",
        "INNER": "deep",
        "EXAMPLE": "counts too",
        "NOTE": "last",
        "Status": "Good",
    }
    assert (topic.author, topic.modified, topic.created) == ("AdaLovelace", "2008-12-14T17:49:56Z", "")
    assert topic.moved_from == "Physics.Old"
    assert [(a.name, a.author, a.modified, a.revision) for a in topic.attachments] == [
        ('plot".pdf', "BobBurns", "2008-12-14T17:49:57Z", "2")
    ]
    assert read_topic(TEXT.replace("\n", "\r\n")) == topic


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("   * Set ALLOWTOPICVIEW = AdaLovelace\n      continued BobBurns\n   * next", "AB*"),
        ("   * Set ALLOWTOPICVIEW=AdaLovelace", "A*"),
        ("   * Set ALLOWTOPICVIEW =\n      AdaLovelace", "A*"),
        ("   * Set ALLOWTOPICVIEW =\n\n      AdaLovelace", "gAB*"),
        ("   * Set ALLOWTOPICVIEW = NobodyGroup\n   AdaLovelace", "A*"),
        ("      * Set DENYTOPICVIEW = BobBurns", "gA*"),
        ("  * Set DENYTOPICVIEW = BobBurns", "gAB*"),
        ("   * Set DENYTOPICVIEW = BobBurns\n   * Set DENYTOPICVIEW = AdaLovelace", "gB*"),
        ("   *  Set   DENYTOPICVIEW   =   AdaLovelace   ", "gB*"),
        ("\t* Set DENYTOPICVIEW =\tAdaLovelace\tBobBurns", "g*"),
        ("   * Set DENYTOPICVIEW = AdaLovelace\\n BobBurns", "g*"),
        ("   * Set DENYTOPICVIEW = `AdaLovelace`", "gB*"),
        ("   * Set DENYTOPICVIEW = <b>AdaLovelace</b>", "gB*"),
        ("   * Set DENYTOPICVIEW = Main/AdaLovelace", "gB*"),
        ("   * Set DENYTOPICVIEW = AdaLovelace;BobBurns", "gAB*"),
        ("   * Set DENYTOPICVIEW = AdaLovelace\n    * Set Y = BobBurns", "*"),  # four spaces: the line goes on
        ("   * Set DENYTOPICVIEW = Nobody\n      * AdaLovelace", "gAB*"),
        ("   1 Set DENYTOPICVIEW = AdaLovelace", "gAB*"),
        ("   * set DENYTOPICVIEW = AdaLovelace", "gAB*"),
        ('%META:PREFERENCE{name="DENYTOPICVIEW" value="AdaLovelace"}%', "gB*"),
        ('%META:PREFERENCE{name="DENYTOPICVIEW" type="Local" value="AdaLovelace"}%', "gAB*"),
    ],
)
def test_odd_settings_are_read_as_a_foswiki_did_when_it_was_asked(text: str, people: str) -> None:
    assert may(FOSWIKI.view(read_topic(text).settings, {})) == people


def test_older_encodings_of_values() -> None:
    topic = read_topic('%META:PREFERENCE{name="A" type="Set" value="say %_Q_%yes%_Q_%%_N_%100%_P_%"}%\n')
    assert topic.settings == {"A": 'say "yes"\n100%'}
    assert read_topic('%META:TOPICINFO{author="X" date="1230000000" version="1.1"}%').created == "2008-12-23T02:40:00Z"


def test_a_rule_that_goes_on_for_ever_takes_no_time() -> None:
    long = 200_000
    assert may(FOSWIKI.view({"ALLOWTOPICVIEW": "<" * long}, {})) == "*"
    assert read_topic(f"%META:PREFERENCE{{{'a' * long}}}%").settings == {"": ""}


def test_webs_inherit_from_their_parents() -> None:
    parent = {"ALLOWWEBVIEW": "HiggsGroup", "DENYWEBVIEW": "EveEvil", "FINALPREFERENCES": "DENYWEBVIEW, X"}
    assert web_settings([parent, {}])["ALLOWWEBVIEW"] == "HiggsGroup"
    assert web_settings([parent, {"ALLOWWEBVIEW": "*"}])["ALLOWWEBVIEW"] == "*"
    assert web_settings([parent, {"DENYWEBVIEW": ""}])["DENYWEBVIEW"] == "EveEvil"
    assert web_settings([parent, {"FINALPREFERENCES": ""}, {"DENYWEBVIEW": ""}])["DENYWEBVIEW"] == "EveEvil"
    assert web_settings([{}, parent, {"X": "own"}]).get("X") is None
