// The API as openapi.json describes it. Everything is set as text, never as HTML.
"use strict";
const $ = id => document.getElementById(id);
let words = {}, doc;

const L = text => words[text] || text;

function element(kind, name, text, ...inside) {
  const e = document.createElement(kind);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  e.append(...inside);
  return e;
}

// follow returns what a schema is, where it is the name of another.
function follow(schema) {
  while (schema && schema.$ref) schema = schema.$ref.split("/").slice(1).reduce((at, key) => at[key], doc);
  return schema || {};
}

// example returns a value that a schema allows; deep keeps trees from growing for ever.
function example(schema, deep = 0) {
  const s = follow(schema);
  if (s.examples) return s.examples[0];
  if (s.default !== undefined) return s.default;
  if (s.enum) return s.enum[0];
  switch ([s.type].flat().find(t => t !== "null")) {
    case "object": return deep > 4 ? {} : Object.fromEntries(Object.entries(s.properties || {}).map(([name, p]) => [name, example(p, deep + 1)]));
    case "array": return deep > 4 ? [] : [example(s.items, deep + 1)];
    case "integer": case "number": return s.minimum || 0;
    case "boolean": return false;
    case "string": return s.format === "date-time" ? "2026-03-01T08:00:00Z" : "…";
  }
  return null;
}

// sent is an example of a body: what it needs, and what is worth showing.
function sent(schema) {
  const s = follow(schema);
  return Object.fromEntries(Object.entries(s.properties || {}).filter(([name, p]) => (s.required || []).includes(name) || p.examples).map(([name, p]) => [name, example(p)]));
}

function kind(schema) {
  const s = follow(schema);
  return s.enum ? s.enum.join(" | ") : [s.type, s.format].flat().filter(Boolean).join(" ");
}

// rows are the fields of a table: name, kind, what it is for.
function rows(fields) {
  const t = element("table");
  for (const [name, schema, needed, text] of fields) {
    const r = element("tr");
    r.append(element("td", "", undefined, element("code", "", name + (needed ? " *" : ""))), element("td", "", kind(schema)), element("td", "", text || ""));
    t.append(r);
  }
  return t;
}

const quote = text => "'" + text.replaceAll("'", "'\\''") + "'";

function curl(method, path, op, body) {
  let query = (op.parameters || []).filter(p => p.in === "query" && p.required).map(p => p.name + "=" + encodeURIComponent(p.example ?? example(p.schema))).join("&");
  if (query) query = "?" + query;
  path = path.replace(/\{(\w+)\}/g, (whole, name) => {
    const p = (op.parameters || []).find(p => p.name === name);
    return p ? encodeURIComponent(p.example ?? example(p.schema)) : whole;
  });
  return ["curl" + (method === "get" ? "" : " -X " + method.toUpperCase()), op.security ? '-H "Authorization: Bearer $TOKEN"' : "",
    body === undefined ? "" : "-H 'Content-Type: application/json' -d " + quote(JSON.stringify(body)), quote(location.origin + path + query)].filter(Boolean).join(" \\\n  ");
}

function route(path, method, op) {
  const d = element("details"), inside = element("div", "inside");
  d.append(element("summary", "", undefined, element("span", "method", method.toUpperCase()), element("code", "", path), element("span", "say", L(op.summary))), inside);
  d.dataset.text = [path, method, op.summary, L(op.summary), op.description].join(" ").toLowerCase();
  d.addEventListener("toggle", () => {
    if (inside.firstChild) return;
    if (op.description) inside.append(element("p", "", op.description));
    inside.append(element("p", "", op.security ? L("Sign in first.") : L("For everybody.")));
    const parameters = (op.parameters || []).filter(p => p.in !== "cookie");
    if (parameters.length) inside.append(element("h3", "", L("Parameters")), rows(parameters.map(p => [p.name, p.schema, p.required, p.description || p.schema.description])));
    const body = op.requestBody?.content["application/json"]?.schema;
    if (body) {
      const s = follow(body);
      inside.append(element("h3", "", L("Body")), rows(Object.entries(s.properties || {}).map(([name, p]) => [name, p, (s.required || []).includes(name), p.description])));
    }
    inside.append(element("h3", "", "curl"), element("pre", "", curl(method, path, op, body && sent(body))));
    const good = Object.keys(op.responses).find(code => code[0] === "2"), content = op.responses[good]?.content || {};
    inside.append(element("h3", "", L("Answer") + " " + good));
    for (const [type, media] of Object.entries(content)) inside.append(element("pre", "", type === "application/json" ? JSON.stringify(example(media.schema), null, 2) : type));
  });
  return d;
}

function draw() {
  const groups = new Map();
  for (const [path, methods] of Object.entries(doc.paths)) {
    for (const [method, op] of Object.entries(methods)) {
      const tag = op.tags[0];
      if (!groups.has(tag)) groups.set(tag, element("section", "", undefined, element("h2", "", tag)));
      groups.get(tag).append(route(path, method, op));
    }
  }
  $("routes").replaceChildren(...groups.values());
  $("about").textContent = doc.info.description;
}

function search() {
  const wanted = $("search").value.toLowerCase();
  for (const section of $("routes").children) {
    for (const d of section.querySelectorAll("details")) d.hidden = !d.dataset.text.includes(wanted);
    section.hidden = !section.querySelector("details:not([hidden])");
  }
}

(async () => {
  const language = localStorage.getItem("language") || navigator.language.slice(0, 2);
  document.documentElement.lang = language;
  const [spec, table] = await Promise.all([fetch("openapi.json"), fetch("words?language=" + encodeURIComponent(language))]);
  doc = await spec.json();
  words = await table.json();
  $("search").placeholder = L("Search");
  $("search").setAttribute("aria-label", L("Search"));
  $("search").addEventListener("input", search);
  draw();
})();
