"""How a lead gets into each CRM once, however often it is sent.

Each adapter has deliver(job), which returns the id of the lead in the CRM. A job may come again after a request that was carried
out and whose answer was lost, so no adapter creates anything without a name by which it finds it again: the lead's id."""

from urllib.parse import quote

from api import Api, Refused


class Salesforce:
    """Upserts `Lead` by the external id field Convene_Lead_Id__c, which has to be unique there."""

    EXTERNAL_ID = "Convene_Lead_Id__c"

    def __init__(self, url, token, timeout, version="v62.0"):
        self.api = Api(url, {"Authorization": f"Bearer {token}"}, timeout)
        self.lead = f"/services/data/{version}/sobjects/Lead"

    def deliver(self, job):
        if job.crm_lead_id and self._update(job):
            return job.crm_lead_id
        path = f"{self.lead}/{self.EXTERNAL_ID}/{job.lead_id}"
        _, answer = self.api.call("PATCH", path, body=job.payload, missing=())
        if "id" not in answer:  # 204, as older versions of the API answer an update
            _, answer = self.api.call("GET", path, {"fields": "Id"}, missing=())
            return answer["Id"]
        return answer["id"]

    def _update(self, job):
        """By its own id, which also finds a lead that was there before convene; False if there is none."""
        body = {**job.payload, self.EXTERNAL_ID: str(job.lead_id)}
        try:
            _, answer = self.api.call("PATCH", f"{self.lead}/{quote(job.crm_lead_id, safe='')}", body=body)
        except Refused as refused:
            if "MALFORMED_ID" in refused.text:
                return False
            raise
        return answer is not None


class Hubspot:
    """Contacts. HubSpot keeps two properties unique: the address, and convene_lead_id if it was made with hasUniqueValue."""

    def __init__(self, url, token, timeout):
        self.api = Api(url, {"Authorization": f"Bearer {token}"}, timeout)

    def deliver(self, job):
        known = self._update(job.crm_lead_id, job) if job.crm_lead_id else None
        return known or self._update(str(job.lead_id), job, {"idProperty": "convene_lead_id"}) or self._upsert(job)

    def _update(self, contact, job, query=None):
        path = f"/crm/v3/objects/contacts/{quote(contact, safe='')}"
        _, answer = self.api.call("PATCH", path, query, job.payload)
        return answer and answer["id"]

    def _upsert(self, job):
        """A person whom the sponsor has under that address already is the same contact."""
        properties = job.payload["properties"]
        name = "email" if "email" in properties else "convene_lead_id"
        entry = {"idProperty": name, "id": properties[name], "properties": properties}
        _, answer = self.api.call("POST", "/crm/v3/objects/contacts/batch/upsert", body={"inputs": [entry]}, missing=())
        return answer["results"][0]["id"]


class Pipedrive:
    """A person and a lead. Pipedrive keeps nothing unique: look first, under the custom field convene_lead_id, then create."""

    def __init__(self, url, token, timeout):
        self.api = Api(url, {"x-api-token": token}, timeout)
        self.keys = {}

    def deliver(self, job):
        lead, person = self._find_lead(job)
        person = self._person(job, person)
        body = dict(job.payload["lead"])
        body.update(self._keyed("dealFields", body.pop("custom_fields")))  # leads have the custom fields of deals
        if lead is not None:
            _, answer = self.api.call("PATCH", f"/v1/leads/{lead}", body=body, missing=())
        else:
            body.setdefault("title", f"Lead {job.lead_id}")  # an update of what somebody deleted there
            _, answer = self.api.call("POST", "/v1/leads", body={**body, "person_id": person}, missing=())
        return answer["data"]["id"]

    def _find_lead(self, job):
        if job.crm_lead_id:
            _, answer = self.api.call("GET", f"/v1/leads/{quote(job.crm_lead_id, safe='')}", missing=(400, 404))
            if answer:
                return answer["data"]["id"], answer["data"]["person_id"]
        found = self._search("leads", str(job.lead_id), "custom_fields")
        return (found["id"], found["person"]["id"]) if found else (None, None)

    def _person(self, job, person):
        body = dict(job.payload["person"])
        body["custom_fields"] = self._keyed("personFields", body["custom_fields"])
        if person is None:
            found = self._search("persons", str(job.lead_id), "custom_fields")
            for email in body.get("emails", []) if not found else []:
                found = self._search("persons", email["value"], "email")
            person = found and found["id"]
        if person is not None:
            self.api.call("PATCH", f"/api/v2/persons/{person}", body=body, missing=())
            return person
        body.setdefault("name", f"Lead {job.lead_id}")
        _, answer = self.api.call("POST", "/api/v2/persons", body=body, missing=())
        return answer["data"]["id"]

    def _search(self, what, term, fields):
        query = {"term": term, "fields": fields, "exact_match": "true", "limit": 1}
        _, answer = self.api.call("GET", f"/api/v2/{what}/search", query, missing=())
        items = answer["data"]["items"]
        return items[0]["item"] if items else None

    def _keyed(self, fields, values):
        """Custom fields under the keys that this account has for their names; an account says them once."""
        if any(name not in self.keys.get(fields, {}) for name in values):
            self.keys[fields] = self._read_keys(fields)
        lacking = [name for name in values if name not in self.keys[fields]]
        if lacking:
            raise Refused(400, f"make the custom fields {', '.join(lacking)} in Pipedrive first ({fields})")
        return {self.keys[fields][name]: value for name, value in values.items()}

    def _read_keys(self, fields):
        keys, start = {}, 0
        while True:
            _, answer = self.api.call("GET", f"/v1/{fields}", {"start": start, "limit": 500}, missing=())
            keys.update({field["name"]: field["key"] for field in answer["data"] or []})
            page = (answer.get("additional_data") or {}).get("pagination") or {}
            if not page.get("more_items_in_collection"):
                return keys
            start = page["next_start"]


ADAPTERS = {"salesforce": Salesforce, "hubspot": Hubspot, "pipedrive": Pipedrive}
