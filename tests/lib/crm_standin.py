"""Stand-ins for the three CRMs on 127.0.0.1: the parts of their APIs that a worker uses, as strict as they are, with faults.

    with StandIn() as crm:
        crm.faults = lambda request: "drop_after"        # or None, or any of FAULTS
        ...
        crm.restart()                                    # what was stored stays

Salesforce keeps Convene_Lead_Id__c unique, HubSpot email and convene_lead_id, Pipedrive nothing: whoever creates twice there has
two. Each also has the plain call that creates, so that a careless client can show it."""

import json
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

# Before the work or after it: an error, no answer in time, a connection that breaks; and a limit that is kept for a second.
FAULTS = ["error", "error_after", "hang", "hang_after", "drop", "drop_after", "limit"]
TOKEN = "a-token"
HANG_SECONDS = 1.2
CUSTOM = ["event", "lead_score", "lead_grade", "booth_visits", "content_downloads", "sessions_attended", "messages",
          "meeting_requested", "interactions", "last_interaction"]
SALESFORCE = {"FirstName", "LastName", "Company", "Email", "Title", "LeadSource", "Rating"} | {
    "Convene_" + "_".join(word.capitalize() for word in name.split("_")) + "__c" for name in CUSTOM}
HUBSPOT = {"firstname", "lastname", "email", "company", "jobtitle", "lifecyclestage", "convene_lead_id"} | {f"convene_{name}" for name in CUSTOM}
PERSON_FIELDS = ["convene_lead_id", "convene_job_title", "convene_company"]
DEAL_FIELDS = ["convene_lead_id"] + [f"convene_{name}" for name in CUSTOM]


def key_of(name, kind):
    """The key that this account of Pipedrive has for a custom field."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}/{name}").hex + "abcdef01"


class Answer(Exception):
    """What the API says."""

    def __init__(self, status, body=None, **headers):
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


class StandIn:
    """One server that is all three CRMs, under paths of their own."""

    def __init__(self):
        self.leads, self.contacts, self.persons, self.deals = {}, {}, {}, {}
        self.faults = lambda request: None
        self.requests = []  # (moment, method, path, fault)
        self.lock = threading.Lock()
        self.server = None
        self.port = 0
        self.numbers = iter(range(501, 10**9))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_one(self):
                standin.serve(self)

            do_GET = do_POST = do_PATCH = handle_one

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True

            def handle_error(self, *_):
                """A client that is gone is what these tests are about."""

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def restart(self, down=0):
        self.stop()
        time.sleep(down)
        self.start()

    # One request -----------------------------------------------------------------------------------------------

    def serve(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        url = urlsplit(handler.path)
        request = (handler.command, url.path)
        with self.lock:
            fault = self.faults(request)
            self.requests.append((time.monotonic(), *request, fault))
        if fault in ("error", "hang", "drop", "limit"):
            answer = Answer(429, {"message": "too many"}, **{"Retry-After": "1"}) if fault == "limit" else Answer(500, {})
        else:
            answer = self.answer(handler, request, parse_qs(url.query), body)
        if fault in ("hang", "hang_after"):
            time.sleep(HANG_SECONDS)
        if fault in ("hang", "hang_after", "drop", "drop_after"):
            handler.close_connection = True
            handler.connection.close()
            return
        if fault == "error_after":
            answer = Answer(502, {"message": "bad gateway"})
        self.send(handler, answer)

    def answer(self, handler, request, query, body):
        try:
            told = handler.headers.get("Authorization") == f"Bearer {TOKEN}" or handler.headers.get("x-api-token") == TOKEN
            if not told:
                raise Answer(401, {"message": "who are you?"})
            with self.lock:
                self.route(request, {key: value[0] for key, value in query.items()}, body)
            raise Answer(404, {"message": f"no such thing: {request}"})
        except Answer as answer:
            return answer

    @staticmethod
    def send(handler, answer):
        text = b"" if answer.body is None else json.dumps(answer.body).encode()
        handler.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **answer.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text)

    def route(self, request, query, body):
        method, path = request
        for wanted, pattern, work in (
            ("PATCH", r"/services/data/v\d+\.\d/sobjects/Lead/Convene_Lead_Id__c/([^/]+)", self.salesforce_upsert),
            ("PATCH", r"/services/data/v\d+\.\d/sobjects/Lead/([^/]+)", self.salesforce_update),
            ("POST", r"/services/data/v\d+\.\d/sobjects/Lead", self.salesforce_create),
            ("POST", r"/crm/v3/objects/contacts/batch/upsert", self.hubspot_upsert),
            ("PATCH", r"/crm/v3/objects/contacts/([^/]+)", self.hubspot_update),
            ("POST", r"/crm/v3/objects/contacts", self.hubspot_create),
            ("GET", r"/v1/(person|deal)Fields", self.pipedrive_fields),
            ("GET", r"/api/v2/(leads|persons)/search", self.pipedrive_search),
            ("POST", r"/api/v2/persons", self.pipedrive_create_person),
            ("PATCH", r"/api/v2/persons/(\d+)", self.pipedrive_update_person),
            ("POST", r"/v1/leads", self.pipedrive_create_lead),
            ("GET", r"/v1/leads/([^/]+)", self.pipedrive_read_lead),
            ("PATCH", r"/v1/leads/([^/]+)", self.pipedrive_update_lead),
        ):
            found = re.fullmatch(pattern, path)
            if found and method == wanted:
                work(*map(unquote, found.groups()), query, body)

    # Salesforce ------------------------------------------------------------------------------------------------

    @staticmethod
    def salesforce_check(body, known, create):
        unknown = set(body) - known
        if unknown:
            raise Answer(400, [{"errorCode": "INVALID_FIELD", "message": f"No such column {unknown}"}])
        if create and not (body.get("LastName") and body.get("Company")):
            raise Answer(400, [{"errorCode": "REQUIRED_FIELD_MISSING", "message": "LastName, Company"}])
        if len(body.get("LastName", "")) > 80 or len(body.get("FirstName", "")) > 40:
            raise Answer(400, [{"errorCode": "STRING_TOO_LONG", "message": "name"}])

    def salesforce_upsert(self, external, query, body):
        found = [key for key, record in self.leads.items() if record.get("Convene_Lead_Id__c") == external]
        # Neither the id nor the external id may be in the body.
        self.salesforce_check(body, SALESFORCE, create=not found)
        if len(found) > 1:
            raise Answer(300, ["several"])
        if found:
            self.leads[found[0]].update(body)
            raise Answer(200, {"id": found[0], "success": True, "errors": [], "created": False})
        self.salesforce_create(query, {**body, "Convene_Lead_Id__c": external})

    def salesforce_create(self, query, body):
        self.salesforce_check(body, SALESFORCE | {"Convene_Lead_Id__c"}, create=True)
        made = f"00Q5g00000{next(self.numbers):05d}AAA"
        self.leads[made] = dict(body)
        raise Answer(201, {"id": made, "success": True, "errors": [], "created": True})

    def salesforce_update(self, lead, query, body):
        self.salesforce_check(body, SALESFORCE | {"Convene_Lead_Id__c"}, create=False)
        if not re.fullmatch(r"\w{15}|\w{18}", lead):
            raise Answer(400, [{"errorCode": "MALFORMED_ID", "message": lead}])
        if lead not in self.leads:
            raise Answer(404, [{"errorCode": "NOT_FOUND", "message": "does not exist"}])
        self.leads[lead].update(body)
        raise Answer(204)

    # HubSpot ---------------------------------------------------------------------------------------------------

    def hubspot_find(self, name, value):
        return next((key for key, record in self.contacts.items() if record.get(name, "").lower() == value.lower()), None)

    def hubspot_store(self, contact, properties):
        unknown = set(properties) - HUBSPOT
        if unknown or not all(isinstance(value, str) for value in properties.values()):
            raise Answer(400, {"category": "VALIDATION_ERROR", "message": f"Property values were not valid: {unknown}"})
        for name in ("email", "convene_lead_id"):
            other = name in properties and self.hubspot_find(name, properties[name])
            if other and other != contact:
                raise Answer(409, {"category": "CONFLICT", "message": f"Contact already exists. Existing ID: {other}"})
        new = contact is None
        contact = contact or str(next(self.numbers))
        self.contacts.setdefault(contact, {}).update(properties)
        return {"id": contact, "new": new, "properties": properties}

    def hubspot_update(self, contact, query, body):
        if "idProperty" in query:
            contact = self.hubspot_find(query["idProperty"], contact)
        if contact not in self.contacts:
            raise Answer(404, {"category": "OBJECT_NOT_FOUND", "message": "resource not found"})
        raise Answer(200, self.hubspot_store(contact, body["properties"]))

    def hubspot_create(self, query, body):
        raise Answer(201, self.hubspot_store(None, body["properties"]))

    def hubspot_upsert(self, query, body):
        told = [self.hubspot_store(self.hubspot_find(one["idProperty"], one["id"]), {one["idProperty"]: one["id"], **one["properties"]})
                for one in body["inputs"]]
        raise Answer(200, {"status": "COMPLETE", "results": told})

    # Pipedrive -------------------------------------------------------------------------------------------------

    def pipedrive_fields(self, kind, query, body):
        """In pages of four, as an account with many fields has it."""
        names = PERSON_FIELDS if kind == "person" else DEAL_FIELDS
        start = int(query["start"])
        page = [{"id": at, "name": name, "key": key_of(name, kind)} for at, name in enumerate(names)][start:start + 4]
        more = start + 4 < len(names)
        raise Answer(200, {"success": True, "data": page, "additional_data": {
            "pagination": {"start": start, "more_items_in_collection": more, **({"next_start": start + 4} if more else {})}}})

    def pipedrive_search(self, what, query, body):
        if query.get("exact_match") != "true" or len(query.get("term", "")) < 2:
            raise Answer(400, {"error": "term"})
        term, items = query["term"].lower(), []
        for key, record in (self.deals if what == "leads" else self.persons).items():
            values = [mail["value"] for mail in record.get("emails", [])] if query["fields"] == "email" else record["custom"].values()
            if term in [str(value).lower() for value in values]:
                item = {"id": key, "type": what[:-1]}
                items.append({"result_score": 1, "item": item | ({"person": {"id": record["person_id"]}} if what == "leads" else {})})
        raise Answer(200, {"success": True, "data": {"items": items[:int(query.get("limit", 100))]}})

    @staticmethod
    def pipedrive_check(values, names, kind):
        unknown = set(values) - {key_of(name, kind) for name in names}
        if unknown:
            raise Answer(400, {"success": False, "error": f"unknown fields {unknown}"})

    def pipedrive_person_of(self, body):
        if set(body) - {"name", "emails", "custom_fields"}:
            raise Answer(400, {"success": False, "error": "unknown fields"})
        self.pipedrive_check(body.get("custom_fields", {}), PERSON_FIELDS, "person")
        return {**{key: body[key] for key in ("name", "emails") if key in body}, "custom": body.get("custom_fields", {})}

    def pipedrive_create_person(self, query, body):
        if not body.get("name"):
            raise Answer(400, {"success": False, "error": "name is required"})
        made = next(self.numbers)
        self.persons[made] = self.pipedrive_person_of(body)
        raise Answer(201, {"success": True, "data": {"id": made}})

    def pipedrive_update_person(self, person, query, body):
        if int(person) not in self.persons:
            raise Answer(404, {"success": False})
        given = self.pipedrive_person_of(body)
        given["custom"] = self.persons[int(person)]["custom"] | given["custom"]
        self.persons[int(person)].update(given)
        raise Answer(200, {"success": True, "data": {"id": int(person)}})

    def pipedrive_lead_of(self, body):
        custom = {key: value for key, value in body.items() if key not in ("title", "person_id")}
        self.pipedrive_check(custom, DEAL_FIELDS, "deal")
        return custom

    def pipedrive_create_lead(self, query, body):
        if not body.get("title") or body.get("person_id") not in self.persons:
            raise Answer(400, {"success": False, "error": "a title and a person are required"})
        made = str(uuid.uuid4())
        self.deals[made] = {"title": body["title"], "person_id": body["person_id"], "custom": self.pipedrive_lead_of(body)}
        raise Answer(201, {"success": True, "data": {"id": made, "person_id": body["person_id"]}})

    def pipedrive_read_lead(self, lead, query, body):
        if lead in self.deals:
            raise Answer(200, {"success": True, "data": {"id": lead, "person_id": self.deals[lead]["person_id"]}})

    def pipedrive_update_lead(self, lead, query, body):
        if lead in self.deals:
            record = self.deals[lead]
            record["custom"] = record["custom"] | self.pipedrive_lead_of(body)
            record["title"] = body.get("title", record["title"])
            raise Answer(200, {"success": True, "data": {"id": lead}})

    # What is there ---------------------------------------------------------------------------------------------

    def arrived(self, crm):
        """The id of the lead in convene and the one here, for every record; a lead that is there twice is in the list twice."""
        with self.lock:
            if crm == "salesforce":
                return [(record.get("Convene_Lead_Id__c"), key) for key, record in self.leads.items()]
            if crm == "hubspot":
                return [(record.get("convene_lead_id"), key) for key, record in self.contacts.items()]
            return [(record["custom"].get(key_of("convene_lead_id", "deal")), key) for key, record in self.deals.items()]
