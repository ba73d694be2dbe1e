"""Claims about the package's ``dataclass``: it does what the standard library's does."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import asdict, field, fields, is_dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.value import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """A value."""

    number: int
    words: tuple[str, ...] = ()
    more: list[int] = field(default_factory=list, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The same, by the standard library."""

    number: int
    words: tuple[str, ...] = ()
    more: list[int] = field(default_factory=list, compare=False)


@dataclass
class Changing:
    """May be changed, so it has no hash."""

    number: int = 0


@dataclass(eq=False)
class Itself:
    """Equal to itself only."""

    number: int = 0

    def __repr__(self) -> str:
        return "it"


@dataclass(frozen=True)
class Empty:
    """Nothing to compare."""


values = st.tuples(st.integers(0, 2), st.lists(st.sampled_from("ab"), max_size=1).map(tuple))


@given(values, values)
def test_equal_where_the_standard_library_says_so(one, other):
    """Equality follows the fields that are compared, and equal values have equal hashes."""
    equal = Theirs(*one) == Theirs(*other)
    assert equal == (Ours(*one) == Ours(*other))
    assert equal == (Ours(*one) == replace(Ours(*other), more=[1]))
    assert not equal or hash(Ours(*one)) == hash(Ours(*other))


def test_is_shown_the_same_way():
    """An instance reads as it is made; what the class says itself is kept."""
    assert repr(Theirs(1, ("a",))).replace("Theirs", "Ours") == repr(Ours(1, ("a",)))
    assert repr(Itself()) == "it"


def test_other_classes_are_never_equal():
    """Not even with the same fields."""
    theirs: object = Theirs(1)
    assert Ours(1) != theirs
    assert Ours(1).__eq__(theirs) is NotImplemented
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())


def test_what_may_change_has_no_hash():
    """As a list; what has only its identity has that as its hash."""
    with pytest.raises(TypeError):
        hash(Changing())
    assert Changing(1) == Changing(1)
    assert Itself(1) != Itself(1)
    assert len({Itself(), Itself()}) == 2


def test_the_rest_of_the_standard_library_works_on_it():
    """``fields``, ``replace``, ``asdict``, matching, copying and pickling."""
    one = Ours(1, ("a",), [2])
    assert is_dataclass(Ours)
    assert [each.name for each in fields(Ours)] == ["number", "words", "more"]
    assert replace(one, number=3) == Ours(3, ("a",))
    assert asdict(one) == {"number": 1, "words": ("a",), "more": [2]}
    assert copy.deepcopy(one) == one == pickle.loads(pickle.dumps(one))
    match one:
        case Ours(number, words):
            assert (number, words) == (1, ("a",))
    with pytest.raises(AttributeError):
        one.other = 1  # type: ignore[attr-defined]
