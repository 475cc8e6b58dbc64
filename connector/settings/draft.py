"""Reads a raw tree against the models: everything wrong in it, and everything right.

A model of pydantic gives all or nothing; rules that span several keys are to be checked, and reported, also when
some other key is wrong. So each key is validated by itself, with its model's own definition of it. Knows the models'
structure alone: which keys there are and what they mean is connector.settings.model.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from connector.settings.problems import Problem, in_words, joined, nearest, suggestion
from connector.settings.refused import PLAIN_SECRETS, is_not_yet


class Part:
    """What is right in one mapping: defaults where a key is absent, nothing where it is wrong."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        self._values: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        self._values[key] = value

    def forget(self, key: str) -> None:
        """What stands at this key is not known to be right any more."""
        self._values.pop(key, None)

    def get(self, key: str) -> Any:
        """The value, or None where there is none or a wrong one."""
        return self._values.get(key)

    def is_wrong(self, key: str) -> bool:
        """Whether the file has something at this key that is not known to be right."""
        return key not in self._values

    def is_absent(self, key: str) -> bool:
        """Whether the file has nothing at this key, and there is no default."""
        return key in self._values and self._values[key] is None

    def section(self, key: str) -> "Part":
        """The mapping below this key; an empty one where it is wrong."""
        return self._values.get(key) or Part(self.at(key))

    def entries(self, key: str) -> "Sequence[Part]":
        """The mappings in the list below this key."""
        return self._values.get(key) or ()

    def at(self, key: str) -> str:
        """The path of this key."""
        return joined(self.path, key)

    def plain(self) -> dict[str, Any]:
        """The tree as plain mappings and lists."""
        return {key: _plain(value) for key, value in self._values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.plain()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model, when the field is a mapping of its own; also of one that may be absent."""
    for annotation in (field.annotation, *get_args(field.annotation)):
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            is_list = get_origin(field.annotation) is tuple
            return None if is_list else annotation
    return None


def _may_be_absent(field: FieldInfo) -> bool:
    return not field.is_required() and field.get_default() is None


def _may_be_empty(field: FieldInfo) -> bool:
    return not field.is_required() and not field.get_default()


def item_model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The items' model, when the field is a list of mappings."""
    item = get_args(field.annotation)[:1]
    if get_origin(field.annotation) is tuple and isinstance(item[0], type):
        return item[0] if issubclass(item[0], BaseModel) else None
    return None


def choices_of(annotation: Any) -> tuple[str, ...]:
    """The closed set of values within an annotation; empty when it is open."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next(filter(None, map(choices_of, get_args(annotation))), ())


def keys_of(model: type[BaseModel], path: str = "") -> dict[str, FieldInfo]:
    """Every key below a model with its path, those within lists excepted."""
    keys = {}
    for name, field in model.model_fields.items():
        keys[joined(path, name)] = field
        if below := model_of(field):
            keys |= keys_of(below, joined(path, name))
    return keys


@cache
def _adapter(model: type[BaseModel], key: str) -> TypeAdapter[Any]:
    field = model.model_fields[key]
    annotation: Any = field.annotation
    if field.metadata:
        annotation = cast("Any", Annotated)[annotation, *field.metadata]
    return TypeAdapter(annotation, config=ConfigDict(hide_input_in_errors=True))


class Reader:
    """Reads one raw tree; `problems` gathers what is wrong in it."""

    def __init__(self, root: type[BaseModel]) -> None:
        self.problems: list[Problem] = []
        self._root = root

    def read(self, tree: object) -> Part:
        """What is right in the tree."""
        return self._mapping(self._root, tree, "", "")

    def _mapping(self, model: type[BaseModel], tree: object, path: str, template: str) -> Part:
        part = Part(path)
        if not isinstance(tree, Mapping):
            self._wrong(path, "must be a mapping of keys to values")
            return part
        for key in tree:
            if key not in model.model_fields:
                self._wrong(joined(path, key), self._unknown(model, key, joined(template, key)))
        for key in model.model_fields:
            self._key(part, model, key, tree, joined(template, key))
        return part

    def _key(self, part: Part, model: type[BaseModel], key: str, tree: Any, template: str) -> None:
        field, path = model.model_fields[key], part.at(key)
        value = tree.get(key)
        if is_not_yet(template, value):
            self._wrong(path, "this value is not supported yet")
        elif key not in tree and field.is_required():
            self._wrong(path, "is required")
        elif value is None and _may_be_absent(field):
            part.set(key, None)
        elif below := model_of(field):
            # A section whose keys are all commented out reads as null.
            part.set(key, self._mapping(below, {} if value is None else value, path, template))
        elif item := item_model_of(field):
            items = value if key in tree else _as_trees(field.get_default())
            least = 0 if _may_be_empty(field) else 1
            part.set(key, self._list(item, items, path, template, least))
        elif key not in tree:
            part.set(key, field.get_default())
        else:
            self._leaf(part, model, key, value)

    def _list(
        self, model: type[BaseModel], tree: object, path: str, template: str, least: int
    ) -> list[Part]:
        if tree is None or tree == []:
            if least:
                self._wrong(path, "must have at least one entry")
        elif isinstance(tree, list):
            return [
                self._mapping(model, item, f"{path}[{index}]", f"{template}[]")
                for index, item in enumerate(tree)
            ]
        else:
            self._wrong(path, "must be a list")
        return []

    def _leaf(self, part: Part, model: type[BaseModel], key: str, value: object) -> None:
        path = part.at(key)
        try:
            part.set(key, _adapter(model, key).validate_python(value))
        except ValidationError as error:
            choices = choices_of(model.model_fields[key].annotation)
            for found in error.errors(include_url=False):
                place, refused = path, value
                for step in found["loc"]:
                    if isinstance(step, int) and isinstance(refused, list):
                        place, refused = f"{place}[{step}]", refused[step]
                    elif isinstance(refused, Mapping) and step in refused:
                        place, refused = joined(place, step), refused[step]
                self._wrong(place, in_words(found, refused, choices))

    def _unknown(self, model: type[BaseModel], key: object, template: str) -> str:
        if not isinstance(key, str):
            return "a key must be text"
        if instead := PLAIN_SECRETS.get(template) or PLAIN_SECRETS.get(key):
            return f"a secret must not stand in the file: {instead}"
        if is_not_yet(template):
            return "is not supported yet"
        if not nearest(key, model.model_fields):
            # The commonest reason is a line that is indented too much or too little.
            for path in keys_of(self._root):
                if path.rpartition(".")[2] == key:
                    return f"unknown key here; did you mean {path}?"
        return f"unknown key; {suggestion(key, tuple(model.model_fields))}"

    def _wrong(self, path: str, text: str) -> None:
        self.problems.append(Problem(path or "the configuration", text))


def _as_trees(items: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [item.model_dump() for item in items]
