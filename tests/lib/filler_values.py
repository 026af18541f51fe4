"""Values for the filler: what the CHECKs of a table allow, and draws from it by type and by name."""

import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from re import _parser as regex_parser
from string import ascii_lowercase

from psycopg.types.json import Jsonb

from .factory import ident, vector_text

# What texts do to those who write them into files.
AWKWARD = "tab\t, quote ' and \", backslash \\, \\N, newline\n, Grüße, 日本語, 🎟"
# Long ago: nothing that is refused in the future is refused, and no row depends on the day of the test.
BASE = datetime(2023, 1, 2, 9, tzinfo=timezone.utc)
DAYS = 700
ZONES = ["UTC", "Europe/Brussels", "America/Toronto", "Asia/Kolkata", "Pacific/Chatham"]
CURRENCIES = ["EUR", "USD", "CAD", "JPY"]
WORDS = ["databases", "security", "grüne Energie", "ネットワーク", "design", "music", "roofing", "plumbing"]


def identity(seed, table, number):
    """The id of a row."""
    return ident("filler", seed, table, number)


# What CHECKs say.

NUMBER = r"'?\(?(-?[\d.]+)\)?'?(?:::[\w ]+)*"
TEXT = r"'((?:[^']|'')*)'::text"


def conjuncts(expression):
    """The parts of `a AND b`, each without its outer parentheses."""
    expression = strip(expression)
    parts, depth, start, quoted = [], 0, 0, False
    for place, letter in enumerate(expression):
        if letter == "'":
            quoted = not quoted
        elif not quoted:
            depth += (letter in "([") - (letter in ")]")
            if depth == 0 and expression.startswith(" AND ", place):
                parts.append(expression[start:place])
                start = place + 5
    parts.append(expression[start:])
    if len(parts) == 1:
        return parts
    return [inner for part in parts for inner in conjuncts(part)]


def strip(expression):
    expression = expression.strip()
    while expression.startswith("(") and expression.endswith(")"):
        depth = 0
        for place, letter in enumerate(expression):
            depth += (letter == "(") - (letter == ")")
            if depth == 0 and place < len(expression) - 1:
                return expression
        expression = expression[1:-1].strip()
    return expression


class Domain:
    """Per column what its CHECKs allow; only what stands for itself, conditions are left to the server."""

    def __init__(self, checks):
        self.values, self.low, self.high, self.longest, self.json, self.pattern = {}, {}, {}, {}, {}, {}
        self.pairs, self.listed, self.one_of, self.only_if, self.together, self.whole = [], {}, {}, [], [], set()
        for check in checks:
            for part in conjuncts(check):
                self._learn(part)

    def _learn(self, part):
        if got := re.fullmatch(r"\(?\"?(\w+)\"? = ANY \(\(?ARRAY\[(.*)\]\)?(?:::text\[\])?\)\)?", part):
            self.values[got[1]] = [value.replace("''", "'") for value in re.findall(TEXT, got[2])] or [
                int(value) for value in re.findall(r"\d+", got[2])]
        elif got := re.fullmatch(rf"\"?(\w+)\"? = {TEXT}", part):
            self.values[got[1]] = [got[2]]
        elif got := re.fullmatch(rf"\"?(\w+)\"? <@ ARRAY\[(.*)\](?:::text\[\])?", part):
            self.listed[got[1]] = [value.replace("''", "'") for value in re.findall(TEXT, got[2])]
        elif got := re.fullmatch(rf"\(?\"?(\w+)\"?\)?(?:::[\w ]+)? (<=|>=|<|>) {NUMBER}", part):
            limit = Decimal(got[3])
            (self.low if ">" in got[2] else self.high)[got[1]] = (limit, "=" in got[2])
        elif got := re.fullmatch(r"(?:length|char_length|octet_length|cardinality)\(\"?(\w+)\"?\) (<=|<|=) (\d+)", part):
            self.longest[got[1]] = int(got[3]) - (got[2] == "<")
        elif got := re.fullmatch(r"\(?jsonb_typeof\(\"?(\w+)\"?\)\)? = 'array'::text", part):
            self.json[got[1]] = "array"
        elif got := re.fullmatch(rf"\"?(\w+)\"? ~ {TEXT}", part):
            self.pattern[got[1]] = got[2].replace("''", "'")
        elif got := re.fullmatch(r"\(?\"?(\w+)\"?\)? (<=|>=|<|>) \(?\"?([a-z_]\w*)\"?\)?", part):
            first, sign, second = got[1], got[2], got[3]
            if ">" in sign:
                first, second = second, first
            self.pairs.append((first, second, "=" not in sign))
        elif re.fullmatch(r"(\(\w+ = \w+\)( OR )?)+", part) and len(set(re.findall(r"\((\w+) =", part))) == 1:
            self.one_of[re.match(r"\((\w+)", part)[1]] = re.findall(r"= (\w+)\)", part)
        elif got := re.fullmatch(r"\((\w+) IS NULL\) = \((\w+) IS NULL\)", part):
            self.together.append((got[1], got[2]))
        elif got := re.fullmatch(r"array_position\((\w+), NULL::\w+\) IS NULL", part):
            self.whole.add(got[1])
        elif got := re.fullmatch(r"\((\w+) = (.*?::text.*?)\) (=|<>) \((\w+) IS (NOT )?NULL\)", part):
            values = [value.replace("''", "'") for value in re.findall(TEXT, got[2])]
            self.only_if.append((got[1], values, got[4], (got[3] == "=") == bool(got[5])))


def settle(row, table, again):
    """Makes the CHECKs true that tie columns to one another; `again` draws a column that may not be null."""
    for column, others in table.domain.one_of.items():
        if row.get(column) is not None and all(other in row for other in others):
            named = [row[other] for other in others if row[other] is not None]
            row[column] = named[row[column].__hash__() % len(named)] if named else None
    for column, values, tied, when in table.domain.only_if:
        if tied not in row:
            continue
        if (row.get(column) in values) != when:
            row[tied] = None
        elif row[tied] is None:
            row[tied] = again(tied)
    for first, second in table.domain.together:
        if first in row and second in row and None in (row[first], row[second]):
            row.update({first: None, second: None})
    order_pairs(row, table.pairs)


def order_pairs(row, pairs):
    """Makes `first < second` true where both have values."""
    for _ in pairs:
        for first, second, strictly in pairs:
            low, high = row.get(first), row.get(second)
            if low is None or high is None:
                continue
            if low > high:
                row[first], row[second] = high, low
            elif strictly and low == high and not isinstance(low, str) and not hasattr(low, "hex"):
                row[second] = high + (timedelta(minutes=30) if isinstance(high, datetime) else
                                      timedelta(days=1) if isinstance(high, date) else 1)


# Drawing.

def draw_value(draw, table, row, name, kind, element, modifier, number, filler):
    """A value of this type that the CHECKs of its own column allow."""
    domain = table.domain
    if element:
        return draw_array(draw, table, name, element, number)
    if name in domain.values and kind in ("text", "int4", "int2", "int8"):
        return draw.choice(domain.values[name])
    if kind in ("text", "name", "varchar"):
        return draw_text(draw, table, name, number)
    if kind in ("int2", "int4", "int8", "numeric", "float4", "float8"):
        return draw_number(draw, domain, name, kind, modifier)
    if kind == "uuid":
        return draw_uuid(draw, table, name, number, filler)
    if kind == "jsonb":
        return draw_json(draw, domain.json.get(name), number)
    if kind == "bool":
        return draw.random() < 0.5
    moment = BASE + timedelta(minutes=15 * draw.randrange(DAYS * 96))
    if kind == "timestamptz":
        return month_of(draw, moment) if name in table.partition_key else moment
    if kind == "date":
        return moment.date()
    if kind == "time":
        return time(draw.randrange(24), draw.choice([0, 30]))
    if kind == "interval":
        return timedelta(minutes=draw.randrange(1, 3000))
    if kind in ("inet", "cidr"):
        return f"192.0.2.{draw.randrange(256)}"
    if kind == "bytea":
        return draw.randbytes(draw.randrange(1, 40))
    if kind in ("tstzrange", "daterange", "int4range", "tsrange"):
        return draw_range(draw, kind, moment)
    if kind == "vector":
        return draw_vector(draw, row.get("embedding_model"), filler)
    raise AssertionError(f"convene.{table.name}.{name}: no values are known for type {kind}")


def draw_vector(draw, model, filler):
    """Of its model's dimension; the key of the model has been drawn by now."""
    dimensions = next((known["dimensions"] for known in filler.parents["embedding_models"] if known["model"] == model), 8)
    return vector_text([draw.gauss(0, 1) for _ in range(dimensions)])


def month_of(draw, moment):
    """Partitions are of these months; every fourth row goes to where there is none."""
    if draw.random() < 0.25:
        return moment
    return datetime.now(timezone.utc) + timedelta(hours=draw.randrange(-600, 1500))


def draw_range(draw, kind, moment):
    if kind == "int4range":
        low = draw.randrange(100)
        return f"[{low},{low + 1 + draw.randrange(10)})"
    later = moment + timedelta(days=1 + draw.randrange(3))
    if kind == "daterange":
        return f"[{moment.date()},{later.date()})"
    return f"[{moment.isoformat()},{later.isoformat()})"


def draw_text(draw, table, name, number):
    domain = table.domain
    if name in domain.pattern and "currency" not in name:
        return from_pattern(domain.pattern[name], draw, number)
    text = named_text(draw, name, number)
    if text is None:
        alone = any(name in unique for unique in table.unique)
        chance = draw.random()
        if chance < 0.12:
            text = f"{AWKWARD} {number}" if alone else AWKWARD
        elif chance < 0.2 and not alone:
            text = draw.choice(["", " ", "NULL", "\\.", "{}", "'; --", "%s %I"])
        else:
            text = f"{name.replace('_', ' ')} {number} {draw.choice(WORDS)}"
    return text[:domain.longest[name]] if name in domain.longest else text


def named_text(draw, name, number):
    if "email" in name and not name.endswith(("_id", "subject", "status", "template", "body")):
        return f"Person.{number}+{draw.choice(ascii_lowercase)}@some-place.example"
    if name.endswith("url") or name in ("website", "homepage"):
        return f"https://example.org/{name}/{number}?q=%20&x=1"
    if name in ("time_zone", "timezone"):
        return draw.choice(ZONES)
    if "currency" in name:
        return draw.choice(CURRENCIES)
    if name in ("locale", "language"):
        return draw.choice(["en", "de", "fr-CA"])
    if "phone" in name or name.endswith("_number") and "sms" in name:
        return f"+1555{number:07d}"
    if name == "country":
        return draw.choice(["CA", "BE", "Deutschland"])
    if name in ("state", "state_province"):
        return draw.choice(["ON", "TX", "FL"])
    return None


def draw_array(draw, table, name, element, number):
    domain = table.domain
    if element == "uuid":
        return [] if draw.random() < 0.7 else [ident(table.name, name, number)]
    length = draw.choice([0, 0, 1, 2, 3])
    if name in domain.listed:
        return draw.sample(domain.listed[name], min(length, len(domain.listed[name])))
    if element in ("text", "varchar"):
        holed = [["\\", AWKWARD]] if name in domain.whole else [[AWKWARD, "", None], [None]]
        return draw.choice([[], [draw.choice(WORDS)], draw.sample(WORDS, 3), [f"{number}", "{", '"', "NULL"], *holed])
    if element in ("int2", "int4", "int8"):
        return [draw.randrange(100) for _ in range(length)]
    if element in ("float4", "float8", "numeric"):
        return [round(draw.random(), 4) for _ in range(length)]
    if element == "timestamptz":
        return [BASE + timedelta(hours=draw.randrange(1000)) for _ in range(length)]
    if element == "jsonb":
        return [Jsonb({"n": place}) for place in range(length)]
    return []


def draw_json(draw, shape, number):
    if shape == "array":
        return Jsonb(draw.choice([[], [{"place": number, "text": AWKWARD}], [1, None, "x"]]))
    return Jsonb(draw.choice([{}, {"k": AWKWARD, "n": 1.50, "none": None}, {"list": [1, None, {"deep": []}], "number": number}]))


def draw_number(draw, domain, name, kind, modifier):
    scale = 0 if kind in ("int2", "int4", "int8") else 2
    most = Decimal(1000)
    if kind == "numeric" and modifier > 0:
        precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0xFFFF
        most = min(most, Decimal(10) ** (precision - scale) - Decimal(10) ** -scale)
    step = Decimal(10) ** -scale
    low, with_low = domain.low.get(name, (Decimal(0), True))
    high, with_high = domain.high.get(name, (max(most, low + 100), True))
    first = low if with_low else low + step
    last = high if with_high else high - step
    chance = draw.random()
    if chance < 0.1 and name in domain.low:
        value = first
    elif chance < 0.2 and name in domain.high:
        value = last
    else:
        span = int((min(last, first + 1000) - first) / step)
        value = first + step * draw.randint(0, max(span, 0))
    if kind.startswith("int"):
        return int(value)
    return float(value) if kind.startswith("float") else value.quantize(step)


def told_by(column):
    """The tables that a column like event_id or buyer_profile may speak of."""
    word = column.removesuffix("_id")
    return ["profiles"] if word.endswith("profile") else [f"{word}s", f"{word[:-1]}ies"]


def draw_uuid(draw, table, name, number, filler):
    """One without a foreign key: of the table that its name tells, where that is known already."""
    for parent in told_by(name):
        if parent != table.name and (row := filler.some(parent, draw)) and "id" in row:
            return row["id"]
    if name not in table.required and name.endswith("_id"):
        return None
    return ident("filler", filler.seed, table.name, name, number)


def from_pattern(pattern, draw, number):
    """Some text that matches; repetitions without end stay short."""
    made = []

    def walk(parts):
        for code, argument in parts:
            what = str(code)
            if what == "LITERAL":
                made.append(chr(argument))
            elif what == "NOT_LITERAL":
                made.append("x" if argument != ord("x") else "y")
            elif what == "ANY":
                made.append(draw.choice(ascii_lowercase))
            elif what == "IN":
                made.append(draw.choice(letters(argument)))
            elif what in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
                least, most, inner = argument
                for _ in range(draw.randint(least, min(most, max(least + 4, 8)))):
                    walk(inner)
            elif what == "SUBPATTERN":
                walk(argument[-1])
            elif what == "BRANCH":
                walk(draw.choice(argument[1]))
            elif what != "AT":
                raise AssertionError(f"pattern {pattern}: {what} is not known here")

    walk(regex_parser.parse(pattern))
    return "".join(made)


def letters(alternatives):
    negated = alternatives and str(alternatives[0][0]) == "NEGATE"
    found = set()
    for code, argument in alternatives:
        if str(code) == "LITERAL":
            found.add(chr(argument))
        elif str(code) == "RANGE":
            found.update(map(chr, range(argument[0], argument[1] + 1)))
        elif str(code) == "CATEGORY":
            found.update({"CATEGORY_DIGIT": "0123456789", "CATEGORY_WORD": ascii_lowercase}.get(str(argument), " "))
    if negated:
        found = set(ascii_lowercase) - found
    return sorted(found)
