// The page. Everything that came from a kit is set as text, never as HTML.
"use strict";
const $ = id => document.getElementById(id);
const rows = new Map();
let words = {}, since = "0", skew = 0, claiming = false, timer = 0;

const L = (text, args = {}) => (words[text] || text).replace(/\{(\w+)\}/g, (whole, name) => name in args ? args[name] : whole);

async function api(method, path, body) {
  const options = { method, headers: { "Accept-Language": $("language").value } };
  if (body) { options.body = JSON.stringify(body); options.headers["Content-Type"] = "application/json"; }
  const answer = await fetch("/api/v1/" + path, options);
  const data = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(data.detail || L("Something went wrong. Try again.")), { status: answer.status });
  return data;
}

async function speak(language) {
  $("language").value = language;
  document.documentElement.lang = language;
  words = language === "en" ? {} : await (await fetch("/words?language=" + encodeURIComponent(language))).json();
  document.querySelectorAll("[data-l]").forEach(e => e.textContent = L(e.dataset.l));
  $("out").textContent = L("Sign out");
  $("search").placeholder = L("Search");
  $("search").setAttribute("aria-label", L("Search"));
  $("empty").textContent = L("Nothing to see yet. As soon as a kit publishes, its values appear here.");
  $("refusals").querySelector("summary").textContent = L("What was refused");
  showForm();
}

function showForm() {
  $("form").classList.toggle("claiming", claiming);
  $("title").textContent = claiming ? L("Welcome to Homeroom") : L("Sign in");
  $("hint").textContent = claiming ? L("Make the teacher's account. The code is printed where Homeroom was started.") : L("With the name and password that your teacher gave you.");
  $("go").textContent = claiming ? L("Start") : L("Sign in");
  $("password").autocomplete = claiming ? "new-password" : "current-password";
}

async function look() {
  clearTimeout(timer);
  try {
    const me = await api("GET", "me");
    claiming = !me.claimed;
    $("form").hidden = me.signedIn;
    $("live").hidden = $("out").hidden = !me.signedIn;
    $("out").hidden = !me.signedIn || me.open;
    showForm();
    if (!me.signedIn) { rows.clear(); since = "0"; $("state").textContent = ""; return; }
    const live = await api("GET", "live?since=" + since);
    since = live.now;
    skew = Date.parse(live.time) - Date.now();
    live.rows.forEach(r => rows.set(r.series, r));
    $("state").textContent = "";
    draw();
    const refused = await api("GET", "refusals");
    $("refusals").hidden = !refused.length;
    const list = $("refusals").querySelector("ul");
    list.replaceChildren(...refused.map(r => element("li", "", new Date(r.at).toLocaleTimeString() + "  " + r.say + (r.count > 1 ? "  ×" + r.count : ""))));
    timer = setTimeout(look, 1000);
  } catch (e) {
    $("state").textContent = e.status ? e.message : L("No connection. Trying again …");
    timer = setTimeout(look, 2000);
  }
}

function element(kind, name, text) {
  const e = document.createElement(kind);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
}

function spark(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const low = Math.min(...values), range = (Math.max(...values) - low) || 1, last = Math.max(1, values.length - 1);
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("points", values.map((v, i) => (i / last * 100).toFixed(1) + "," + (28 - (v - low) / range * 26).toFixed(1)).join(" "));
  svg.append(line);
  return svg;
}

function ago(at) {
  const s = Math.max(0, (Date.now() + skew - Date.parse(at)) / 1000);
  if (s < 2) return L("now");
  if (s < 120) return L("{n} s ago", { n: Math.floor(s) });
  if (s < 7200) return L("{n} min ago", { n: Math.floor(s / 60) });
  if (s < 172800) return L("{n} h ago", { n: Math.floor(s / 3600) });
  return L("{n} days ago", { n: Math.floor(s / 86400) });
}

function card(r) {
  const parts = r.series.split("#")[0].split("/"), leaf = r.series.split("#").slice(1).join("#");
  const c = element("div", "card");
  const stale = Date.now() + skew - Date.parse(r.at) > 60000;
  c.classList.toggle("stale", stale);
  c.title = r.series;
  c.append(element("div", "what", r.label || parts.slice(-2).join(" / ") + (leaf ? " / " + leaf : "")));
  const value = element("div", "value", r.kind === "number" ? String(+r.number.toPrecision(6)) : r.kind === "boolean" ? (r.number ? "true" : "false") : r.text);
  if (r.unit) value.append(element("small", "", r.unit));
  c.append(value);
  if (r.spark && r.spark.length > 1) c.append(spark(r.spark));
  c.append(element("div", "when", ago(r.at)));
  return c;
}

function draw() {
  const wanted = $("search").value.toLowerCase(), rooms = new Map();
  for (const r of [...rows.values()].sort((a, b) => a.series < b.series ? -1 : 1)) {
    if (wanted && !(r.series + " " + (r.label || "")).toLowerCase().includes(wanted)) continue;
    const levels = r.series.split("#")[0].split("/");
    const room = levels.slice(0, Math.max(0, Math.min(2, levels.length - 1))).join(" / ") || L("Topics without a room");
    if (!rooms.has(room)) rooms.set(room, []);
    if (rooms.get(room).length < 200) rooms.get(room).push(r);
  }
  $("empty").hidden = rows.size > 0;
  $("rooms").replaceChildren(...[...rooms].map(([name, list]) => {
    const section = element("section"), cards = element("div", "cards");
    cards.append(...list.map(card));
    section.append(element("h2", "", name), cards);
    return section;
  }));
}

$("form").addEventListener("submit", async event => {
  event.preventDefault();
  $("error").textContent = "";
  $("go").disabled = true;
  const body = { name: $("name").value.trim(), password: $("password").value };
  if (claiming) Object.assign(body, { code: $("code").value.trim(), label: $("label").value.trim() });
  try {
    await api("POST", claiming ? "claim" : "sessions", body);
    $("password").value = $("code").value = "";
    await look();
  } catch (e) {
    $("error").textContent = e.message;
  }
  $("go").disabled = false;
});
$("out").addEventListener("click", async () => { await api("DELETE", "sessions"); await look(); });
$("search").addEventListener("input", draw);
$("language").addEventListener("change", async () => { localStorage.setItem("language", $("language").value); await speak($("language").value); draw(); });

const known = ["en", "fr", "ko"];
const first = localStorage.getItem("language") || navigator.language.slice(0, 2);
speak(known.includes(first) ? first : "en").then(look);
