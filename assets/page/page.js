// The page. Everything that came from a kit is set as text, never as HTML.
import { draw as drawChart, nearest, place } from "./chart.js";
import { Link } from "./link.js";

const $ = id => document.getElementById(id);
const answerTime = 6000; // ms that a kit has to make a wish its state
const most = 300; // cards of one room

// A code in the address signs in once. It leaves the address before anything else
// happens. The label of a kit names it, so that its values are what is seen.
let entry;
function takeCode() {
  const told = new URLSearchParams(location.hash.slice(1));
  entry = told.get("code") || entry;
  if (told.get("kit")) $("search").value = told.get("kit").slice(0, 200);
  if (location.hash) history.replaceState(null, "", location.pathname);
}
takeCode();

let words = {}, me = {}, since = "", skew = 0, timer = 0, soon = 0, looking = false, again = false;
let topics = new Map(); // what was designed, by name
const rows = new Map(), cards = new Map(), wishes = new Map(); // by series; wishes by topic
let open; // the series that the dialog shows
let trace = { kind: "number", spans: [], texts: [], step: 0 }, from = 0, to = 0, chosen = -1, tracing = 0;

const L = (text, args = {}) => (words[text] || text).replace(/\{(\w+)\}/g, (whole, name) => name in args ? args[name] : whole);

// store remembers a choice in this browser, where that is allowed.
const store = {
  get: key => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* a private window */ } },
};

async function api(method, path, body) {
  const options = { method, headers: { "Accept-Language": $("language").value } };
  if (body) { options.body = JSON.stringify(body); options.headers["Content-Type"] = "application/json"; }
  const answer = await fetch("/api/v1/" + path, options);
  const text = await answer.text();
  let data = {};
  try { data = text ? JSON.parse(text) : {}; } catch { /* not from Homeroom */ }
  if (!answer.ok) throw Object.assign(new Error(data.detail || L("Something went wrong. Try again.")), { status: answer.status });
  return data;
}

function element(kind, name, text) {
  const e = document.createElement(kind);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
}

// say puts text there only where it is new: what is read aloud is read once.
function say(e, text) { if (e.textContent !== text) e.textContent = text; }

// ---- language and colours

async function speak(language) {
  $("language").value = language;
  document.documentElement.lang = language;
  if (language === "en") words = {};
  else words = await fetch("/words?language=" + language).then(answer => answer.json(), () => ({}));
  for (const e of document.querySelectorAll("[data-l]")) {
    if (e.dataset.as) e.dataset.as.split(" ").forEach(name => e.setAttribute(name, L(e.dataset.l)));
    else e.textContent = L(e.dataset.l);
  }
  showForm();
  showWho();
  cards.forEach(c => c.root.remove());
  cards.clear();
  boards.forEach(b => b.root.remove());
  boards.clear();
  show();
  showDetail();
  showChart();
  showBoards();
  showAlarms();
  readAlarms.at = refresh.whole = 0; // what was said in another language is asked for again
}

function isDark() {
  return (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

function paint(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  $("dark").setAttribute("aria-pressed", isDark());
  showChart();
}

// ---- who is there

function showForm() {
  const claiming = me.claimed === false;
  $("form").classList.toggle("claiming", claiming);
  $("code").required = claiming;
  say($("title"), claiming ? L("Welcome to Homeroom") : L("Sign in"));
  say($("hint"), claiming ? L("Make the teacher's account. The code is printed where Homeroom was started.") : L("With the name and password that your teacher gave you."));
  say($("go"), claiming ? L("Start") : L("Sign in"));
  $("password").autocomplete = claiming ? "new-password" : "current-password";
}

function showWho() {
  const name = me.label || me.name || "";
  say($("who"), !me.signedIn ? "" : me.open && !name ? L("Open to everybody") : me.team ? name + " · " + me.team : name);
  $("out").hidden = !me.signedIn || !me.name;
}

function banner(text) {
  say($("banner"), text);
  $("banner").hidden = !text;
}

// look asks who is signed in and for what changed, and comes back by itself.
async function look() {
  if (looking) { again = true; return; }
  clearTimeout(timer);
  looking = true;
  again = false;
  let next = link.open ? 5000 : 1000;
  try {
    const was = me.signedIn;
    if (entry) {
      const code = entry;
      entry = null;
      await api("POST", "sessions/code", { code, cookie: true }).catch(e => {
        if (!e.status) { entry = code; throw e; }
        say($("error"), e.message);
      });
    }
    me = await api("GET", "me");
    $("form").hidden = me.signedIn;
    $("live").hidden = !me.signedIn;
    showForm();
    showWho();
    if (me.signedIn) {
      await refresh(!was);
    } else {
      forget();
      if (was) say($("error"), L("You were signed out. Sign in again."));
      next = 5000;
    }
    banner("");
  } catch (e) {
    banner(e.status ? e.message : L("No connection. Trying again …"));
    next = 2000;
  }
  looking = false;
  timer = setTimeout(look, again ? 0 : document.hidden ? 10000 : next);
}

// soonLook looks at once, and then at most a few times a second.
function soonLook() {
  if (!soon) soon = setTimeout(() => { soon = 0; look(); }, 150);
}

// forget drops what somebody who is not signed in may not see.
function forget() {
  link.stop();
  filters.refused.clear();
  topics = new Map();
  wishes.clear();
  if ($("why").open) $("why").close();
  if ($("detail").open) $("detail").close();
  alarms = [];
  hidden.clear();
  kits = [];
  showAlarms();
  showBoards();
  empty();
}

function empty() {
  rows.clear();
  refresh.whole = 0;
  show();
}

async function refresh(first) {
  // Now and then everything: what may be read can have changed without a message.
  const whole = first || !refresh.whole || Date.now() - refresh.whole > 15000 || filters.refused.size > 0;
  const live = await api("GET", "live?since=" + (whole ? "" : since));
  since = live.now;
  skew = Date.parse(live.time) - Date.now();
  for (const r of live.rows) take(r);
  if (whole) {
    refresh.whole = Date.now();
    const there = new Set(live.rows.map(r => r.series));
    for (const series of rows.keys()) if (!there.has(series)) rows.delete(series);
    const designed = await api("GET", "topics?state=designed&limit=1000");
    topics = new Map(designed.items.map(t => [t.topic, t]));
  }
  showRefused(await api("GET", "refusals"));
  if (whole || Date.now() - readAlarms.at > 4000) await readAlarms();
  if (whole || !link.open) await readBoards(whole);
  show();
  link.start();
  for (const f of filters()) link.join(f);
}

// filters are what is listened to: one for everything that the account surely
// reads, and the other topics one by one.
function filters() {
  if (me.open || me.role === "teacher") return ["#"];
  const team = me.team ? me.team + "/#" : "", out = [];
  if (team && !filters.refused.has(team)) out.push(team);
  for (const r of rows.values()) {
    const name = topicOf(r.series);
    if (!(out[0] === team && name.startsWith(me.team + "/")) && !filters.refused.has(name) && out.length < 100) out.push(name);
  }
  return out;
}
filters.refused = new Set();

const link = new Link("/ws", {
  down: soonLook,
  joined: (channel, data) => { data.retained.forEach(arrived); soonLook(); },
  message: arrived,
  refused: channel => filters.refused.add(channel),
  // what may no longer be read disappears at once
  left: channel => { filters.refused.add(channel); empty(); soonLook(); },
});

// ---- values

const topicOf = series => series.split("#")[0];

function take(r) {
  if (!r.at || r.at.startsWith("0001")) { rows.delete(r.series); return; } // it was forgotten
  const before = rows.get(r.series);
  if (before && Date.parse(before.at) > Date.parse(r.at)) Object.assign(r, { at: before.at, kind: before.kind, number: before.number, text: before.text });
  rows.set(r.series, r);
  granted(topicOf(r.series), value(r), Date.parse(r.at));
}

// arrived takes a message from a room. What is one plain value shows at once;
// what has to be taken apart is asked for.
function arrived(m) {
  if (m.topic.includes("/$alarm/")) { // an alarm tells its state
    readAlarms.at = 0;
    soonLook();
    return;
  }
  if (boardTopics.has(m.topic)) soonBoards();
  const r = rows.get(m.topic), text = (m.payload || "").trim(), at = Date.parse(m.at);
  granted(m.topic, text, at);
  if (!r || m.payload === undefined || m.omitted || /^[[{]/.test(text)) { soonLook(); return; }
  if (at < Date.parse(r.at)) return;
  r.at = m.at;
  if (/^[-+.\d][-+.\deE]*$/.test(text) && text.length <= 32 && isFinite(+text)) {
    r.kind = "number";
    r.number = +text;
  } else if (/^(true|false)$/i.test(text)) {
    r.kind = "boolean";
    r.number = +/^true$/i.test(text);
  } else {
    r.kind = "text";
    r.text = m.payload.slice(0, 1024);
  }
  if (r.kind !== "text" && at - (r.sparked || 0) >= 1000) {
    r.sparked = at;
    r.spark = [...(r.spark || []), r.number].slice(-60);
  }
  if (!arrived.frame) arrived.frame = requestAnimationFrame(() => { arrived.frame = 0; show(); });
}

function value(r) {
  if (r.kind === "number") return number(r.number);
  if (r.kind === "boolean") return r.number ? L("On") : L("Off");
  return r.text || "";
}

function number(n) {
  return new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 6, useGrouping: false }).format(n);
}

function ago(at) {
  const s = Math.max(0, (Date.now() + skew - Date.parse(at)) / 1000);
  if (s < 2) return L("now");
  if (s < 120) return L("{n} s ago", { n: Math.floor(s) });
  if (s < 7200) return L("{n} min ago", { n: Math.floor(s / 60) });
  if (s < 172800) return L("{n} h ago", { n: Math.floor(s / 3600) });
  return L("{n} days ago", { n: Math.floor(s / 86400) });
}

// ---- switches: what was wished, and what the kit says

// wish publishes to the topic's …/set. What is shown stays what the kit said.
async function wish(name, payload) {
  const w = { payload, at: Date.now() + skew, say: () => L("Waiting for the kit …") };
  wishes.set(name, w);
  show();
  try {
    await api("POST", "topics/" + encodeURIComponent(name + "/set") + "/messages", { payload, qos: 1 });
  } catch (e) {
    Object.assign(w, { bad: true, say: () => e.status ? e.message : L("No connection. Try again.") });
    say($("told"), w.say());
  }
  show();
  setTimeout(() => {
    if (wishes.get(name) !== w || w.bad) return;
    Object.assign(w, { bad: true, say: () => L("No answer from the kit.") });
    say($("told"), w.say());
    show();
  }, answerTime);
}

// granted ends a wish: the kit has said what it is now.
function granted(name, text, at) {
  const w = wishes.get(name);
  if (!w || at < w.at) return;
  wishes.delete(name);
  say($("told"), name + ": " + text);
}

function isSwitch(r) {
  const t = topics.get(r.series);
  return t && t.writable && (t.kind === "boolean" || r.kind === "boolean");
}

function makeSwitch(name) {
  const b = element("button", "switch");
  b.type = "button";
  b.setAttribute("role", "switch");
  b.addEventListener("click", () => {
    const w = wishes.get(name);
    if (!w || w.bad) wish(name, rows.get(name)?.kind === "boolean" && rows.get(name).number ? "false" : "true");
  });
  return b;
}

function showSwitch(b, r) {
  const w = wishes.get(r.series), on = r.kind === "boolean" && !!r.number;
  b.setAttribute("aria-checked", on);
  b.setAttribute("aria-busy", !!w && !w.bad);
  b.setAttribute("aria-label", title(r));
}

// ---- rooms

const collator = new Intl.Collator(undefined, { numeric: true });

// standing is where a series is in the house: <branch>/<room>/<kit>/<property>.
function standing(series) {
  const levels = topicOf(series).split("/"), leaf = series.split("#").slice(1).join("#");
  const branch = levels.length > 1 ? levels.shift() : "", room = levels.length > 1 ? levels.shift() : "";
  return { branch, room, what: levels.join(" / ") + (leaf ? " · " + leaf : ""), hidden: levels.some(l => l.startsWith("$")) || levels[levels.length - 1] === "set" };
}

const title = r => r.label || standing(r.series).what;

// all are the series to show: those with a value, and designed switches without one.
function all() {
  const out = [...rows.values()];
  for (const t of topics.values()) if (t.writable && !rows.has(t.topic)) out.push({ series: t.topic, kind: "none", label: t.label });
  return out;
}

function makeCard(r) {
  const root = document.importNode($("card").content, true).firstElementChild;
  const c = { root, button: root.querySelector(".open"), what: root.querySelector(".what"), value: root.querySelector(".value"), svg: root.querySelector("svg"), line: root.querySelector("polyline"), when: root.querySelector(".when"), wish: root.querySelector(".wish"), ask: root.querySelector(".ask") };
  c.button.addEventListener("click", () => openDetail(r.series));
  c.ask.textContent = L("Why?");
  c.ask.addEventListener("click", () => ask(r.series));
  return c;
}

function showValue(e, r) {
  const unit = r.kind === "number" ? r.unit || "" : "", text = r.kind === "none" ? "–" : value(r);
  if (e.firstChild?.nodeValue === text && (e.children[0]?.textContent || "") === unit) return;
  e.textContent = text;
  if (unit) e.append(element("small", "", unit));
}

function fillCard(c, r) {
  say(c.what, title(r));
  c.root.title = r.series;
  c.ask.setAttribute("aria-label", L("Why?") + " " + title(r));
  c.ask.hidden = r.kind === "none";
  showValue(c.value, r);
  const s = r.kind !== "text" && r.spark && r.spark.length > 1 ? r.spark : null;
  c.svg.style.display = s ? "" : "none";
  if (s) {
    const low = Math.min(...s), height = (Math.max(...s) - low) || 1;
    const points = s.map((v, i) => {
      const x = (i / (s.length - 1) * 100).toFixed(1), y = (28 - (v - low) / height * 26).toFixed(1);
      return (r.kind === "boolean" && i ? x + "," + (28 - (s[i - 1] - low) / height * 26).toFixed(1) + " " : "") + x + "," + y;
    }).join(" ");
    if (c.line.getAttribute("points") !== points) c.line.setAttribute("points", points);
  }
  if (isSwitch(r)) {
    if (!c.switch) c.root.append(c.switch = makeSwitch(r.series));
    showSwitch(c.switch, r);
  } else if (c.switch) {
    c.switch.remove();
    c.switch = null;
  }
  const w = wishes.get(r.series);
  say(c.wish, w ? w.say() : "");
  c.wish.classList.toggle("bad", !!w?.bad);
  showAge(c, r);
}

function showAge(c, r) {
  say(c.when, r.kind === "none" ? L("No value yet") : ago(r.at));
  c.root.classList.toggle("stale", r.kind === "none" || Date.now() + skew - Date.parse(r.at) > 60000);
}

// show brings the cards up to date, and moves only those that are new.
function show() {
  const wanted = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), rooms = new Map();
  let found = 0;
  for (const r of all()) {
    const s = standing(r.series), text = (r.series + " " + (r.label || "")).toLowerCase();
    if (s.hidden || !wanted.every(w => text.includes(w))) continue;
    const key = s.branch + "/" + s.room;
    if (!rooms.has(key)) rooms.set(key, { ...s, list: [] });
    rooms.get(key).list.push(r);
    found++;
  }
  say($("empty"), found || !refresh.whole ? "" : wanted.length ? L("Nothing matches") : L("Nothing to see yet. As soon as a kit publishes, its values appear here."));
  $("empty").hidden = found > 0;
  const branches = new Set([...rooms.values()].map(s => s.branch)), kept = new Set();
  for (const s of rooms.values()) {
    s.list = s.list.sort((a, b) => collator.compare(a.series, b.series)).slice(0, most);
    s.list.forEach(r => kept.add(r.series));
  }
  for (const [series, c] of cards) if (!kept.has(series)) { c.root.remove(); cards.delete(series); }
  for (const [key, section] of show.sections) if (!rooms.has(key)) { section.remove(); show.sections.delete(key); }
  let nextRoom = $("rooms").firstElementChild;
  for (const key of [...rooms.keys()].sort((a, b) => (a === "/") - (b === "/") || collator.compare(a, b))) {
    const s = rooms.get(key);
    let section = show.sections.get(key);
    if (!section) {
      section = element("section");
      section.append(element("h2"), element("div", "cards"));
      show.sections.set(key, section);
    }
    if (section === nextRoom) nextRoom = nextRoom.nextElementSibling;
    else $("rooms").insertBefore(section, nextRoom);
    const [head, grid] = section.children;
    const name = s.room || s.branch || L("Topics without a room"), team = s.room && branches.size > 1 ? s.branch : "";
    if (head.dataset.is !== name + "/" + team) {
      head.dataset.is = name + "/" + team;
      head.replaceChildren(name, ...(team ? [" ", element("span", "", team)] : []));
    }
    let next = grid.firstElementChild;
    for (const r of s.list) {
      let c = cards.get(r.series);
      if (!c) cards.set(r.series, c = makeCard(r));
      fillCard(c, r);
      if (c.root === next) next = next.nextElementSibling;
      else grid.insertBefore(c.root, next);
    }
  }
  if (open) showDetail();
}
show.sections = new Map();

function showRefused(list) {
  const items = list.items.map(r => clock(r.at, true) + "  " + r.say + (r.count > 1 ? "  ×" + r.count : ""));
  say($("refused"), items.length ? String(items.length) : "");
  $("clean").hidden = items.length > 0;
  const ul = $("refusals").querySelector("ul");
  if (ul.textContent !== items.join("")) ul.replaceChildren(...items.map(t => element("li", "", t)));
}

// ---- alarms: over everything, until a person has seen them

let alarms = [];
const hidden = new Set(), shownAlarms = 2; // hidden: who may not acknowledge one can put it away

async function readAlarms() {
  readAlarms.at = Date.now();
  const got = await api("GET", "alarms?calling=true&limit=100");
  alarms = got.items.filter(a => a.state && !a.state.acked);
  for (const key of hidden) if (!alarms.some(a => alarmKey(a) === key)) hidden.delete(key);
  showAlarms();
}
readAlarms.at = 0;

const alarmKey = a => a.id + " " + a.state.since;

function showAlarms() {
  const box = $("alarms"), all = alarms.filter(a => !hidden.has(alarmKey(a)));
  const now = JSON.stringify([all, document.documentElement.lang]);
  if (box.dataset.is !== now) {
    box.dataset.is = now;
    const lines = all.slice(0, shownAlarms).map(a => {
      const line = element("div", a.state.ended ? "over" : ""), text = element("p"), button = element("button");
      const when = a.state.ended ? L("from {from} to {to}", { from: clock(a.state.since, true), to: clock(a.state.ended, true) }) : L("since {time}", { time: clock(a.state.since, true) });
      text.append(element("b", "", a.title), element("span", "", a.state.say), element("small", "", a.topic + " · " + when));
      button.type = "button";
      button.textContent = a.state.mine ? L("I have seen it") : L("Hide");
      button.addEventListener("click", () => seen(a, button));
      line.append(text, button);
      return line;
    });
    if (all.length > shownAlarms) lines.push(element("p", "", L("{n} more alarms call.", { n: all.length - shownAlarms })));
    box.replaceChildren(...lines);
  }
  box.hidden = !all.length;
  putAlarms();
}

// putAlarms keeps them in front: a dialog covers what is not in it.
function putAlarms() {
  const box = $("alarms"), front = $("why").open ? $("why") : $("detail").open ? $("detail") : document.body;
  if (box.parentElement !== front) {
    if (front === document.body) $("banner").after(box);
    else front.append(box);
  }
  const height = box.hidden ? "0px" : box.offsetHeight + "px";
  document.documentElement.style.setProperty("--over", height);
  document.body.style.paddingTop = front === document.body ? height : "0px";
}

async function seen(a, button) {
  if (!a.state.mine) {
    hidden.add(alarmKey(a));
    showAlarms();
    return;
  }
  button.disabled = true;
  try {
    await api("POST", "alarms/" + encodeURIComponent(a.id) + "/acknowledge");
  } catch (e) {
    if (e.status !== 404) { // it does not call any more
      banner(e.status ? e.message : L("No connection. Try again."));
      button.disabled = false;
      return;
    }
  }
  await readAlarms().catch(() => {});
}

// ---- why a topic has its value

async function ask(series) {
  const topic = topicOf(series), r = all().find(r => r.series === series);
  say($("asked"), L("Why?") + " " + (r ? title(r) : topic));
  say($("because"), L("Looking …"));
  $("steps").replaceChildren();
  if (!$("why").open) $("why").showModal();
  putAlarms();
  const turn = ask.turn = (ask.turn || 0) + 1;
  try {
    const got = await api("GET", "why?" + new URLSearchParams({ topic }));
    if (turn !== ask.turn) return;
    say($("because"), got.steps.some(s => s.likely) ? L("What nobody saw but the times suggest is marked as likely.") : "");
    $("steps").replaceChildren(...got.steps.map((s, i) => {
      const li = element("li", [s.kind, s.likely ? "likely" : "", i === got.effect ? "effect" : ""].filter(Boolean).join(" "), (s.kind === "rule" && s.who ? s.who + ": " : "") + s.say);
      const when = [exact(s.at)];
      if (s.after) when.push(L("after {time}", { time: delay(s.after) }));
      if (s.likely) when.push(L("likely"));
      li.append(element("small", "", when.join(" · ")));
      return li;
    }));
  } catch (e) {
    if (turn === ask.turn) say($("because"), e.status ? e.message : L("No connection. Try again."));
  }
}

// exact is a time to the millisecond.
const exact = at => clock(at, true) + "." + String(new Date(at).getMilliseconds()).padStart(3, "0");

const delay = s => s < 1 ? number(Math.round(s * 1e4) / 10) + " ms" : s < 120 ? number(Math.round(s * 100) / 100) + " s" : number(Math.round(s / 6) / 10) + " min";

// ---- virtual kits: this page is the board

let kits = [];
const boards = new Map(), boardTopics = new Set();

// readBoards asks for the boards that are shown; whole is for those that are not, too.
async function readBoards(whole) {
  const box = $("boards");
  if (!whole && !box.open) return;
  kits = (await api("GET", "boards?limit=100")).items;
  if (box.hidden && kits.length) box.open = kits.length <= 6; // who has many looks for one
  boardTopics.clear();
  for (const k of kits) for (const p of k.parts) boardTopics.add(p.topic).add(p.topic + "/set");
  showBoards();
}

function soonBoards() {
  if (!soonBoards.timer) soonBoards.timer = setTimeout(() => { soonBoards.timer = 0; if (me.signedIn) readBoards().catch(() => {}); }, 120);
}

function showBoards() {
  const box = $("boards"), grid = box.querySelector(".boards"), there = new Set(kits.map(k => k.name));
  box.hidden = !kits.length;
  say(box.querySelector(".n"), kits.length ? String(kits.length) : "");
  for (const [name, b] of boards) if (!there.has(name)) { b.root.remove(); boards.delete(name); }
  for (const k of kits) {
    const is = JSON.stringify(k.parts.map(p => [p.slot, p.action, p.kind, p.toggle, p.min, p.max, p.options]));
    let b = boards.get(k.name);
    if (b && b.is !== is) { b.root.remove(); b = null; }
    if (!b) boards.set(k.name, b = makeBoard(k, is));
    if (b.root.parentElement !== grid) grid.append(b.root);
    say(b.root.querySelector(".title"), k.title);
    b.root.querySelector(".lamp").classList.toggle("ready", k.state === "ready");
    if (!b.bad) say(b.state, k.say || (k.state === "ready" ? "" : L("Not connected")));
    k.parts.forEach((p, i) => b.parts[i](p));
  }
}

function makeBoard(k, is) {
  const root = document.importNode($("board").content, true).firstElementChild;
  const b = { root, is, state: root.querySelector(".state"), deeds: Promise.resolve(), bad: false };
  root.dataset.kit = k.name;
  say(root.querySelector(".path"), k.name);
  b.parts = k.parts.map(p => makePart(b, k.name, p, root.querySelector(".parts")));
  return b;
}

// deed does one thing after the other: a button must not be let go before it is down.
function deed(b, path, body) {
  return b.deeds = b.deeds.then(async () => {
    try {
      await api("POST", "boards/" + path, body);
      if (b.bad) say(b.state, "");
      b.bad = false;
    } catch (e) {
      b.bad = true;
      say(b.state, e.status ? e.message : L("No connection. Try again."));
    }
    b.state.classList.toggle("bad", b.bad);
    soonBoards();
  });
}

function partName(p) {
  const names = { button: L("Button"), light: L("Light"), led: "LED", brightness: L("Brightness"), presence: L("Presence") };
  return topics.get(p.topic)?.label || names[p.slot] || p.slot;
}

// makePart returns what brings the part up to date.
function makePart(b, kit, first, box) {
  const root = element("div", "part"), name = element("span", "name", partName(first)), feels = first.action === "publish";
  const turn = value => deed(b, "turn", { kit, slot: first.slot, value });
  root.title = first.topic;
  box.append(root);
  if (feels && first.kind === "boolean" && /^button(-|$)/.test(first.slot)) {
    const button = element("button", "press", partName(first));
    button.type = "button";
    let down = false;
    const press = is => {
      if (down === is) return;
      down = is;
      button.classList.toggle("down", is);
      deed(b, "press", { kit, slot: first.slot, down: is });
    };
    button.addEventListener("pointerdown", event => { if (event.button === 0) { button.setPointerCapture(event.pointerId); press(true); } });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(end, () => press(false));
    button.addEventListener("keydown", event => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); press(true); } });
    button.addEventListener("keyup", () => press(false));
    button.addEventListener("contextmenu", event => event.preventDefault());
    document.addEventListener("visibilitychange", () => { if (document.hidden) press(false); });
    root.append(button);
    return p => button.setAttribute("aria-pressed", !!p.on);
  }
  if (feels && first.kind === "boolean") {
    const button = element("button", "switch");
    let on = false;
    button.type = "button";
    button.setAttribute("role", "switch");
    button.setAttribute("aria-label", partName(first));
    button.addEventListener("click", () => turn(String(!on)));
    root.append(name, button);
    return p => { on = !!p.on; button.setAttribute("aria-checked", on); };
  }
  const says = element("span", "says");
  if (feels && first.kind === "number") {
    const range = element("input");
    range.type = "range";
    [range.min, range.max] = first.min || first.max ? [first.min, first.max] : [0, 100];
    range.step = topics.get(first.topic)?.step || (range.max - range.min > 20 ? 1 : "any");
    range.setAttribute("aria-label", partName(first));
    let moved = 0, waiting = false;
    const write = value => say(says, value === "" ? "–" : number(+value) + (first.unit ? " " + first.unit : ""));
    range.addEventListener("input", () => {
      moved = Date.now();
      write(range.value);
      if (waiting) return;
      waiting = true;
      b.deeds.then(() => setTimeout(() => { waiting = false; turn(range.value); }, 100));
    });
    root.append(name, says, range);
    return p => {
      if (waiting || Date.now() - moved < 1000) return; // a hand is on it
      if (p.value && isFinite(+p.value)) range.value = p.value;
      write(p.value && isFinite(+p.value) ? p.value : "");
    };
  }
  if (feels) {
    const field = element(first.options?.length ? "select" : "input");
    for (const o of first.options || []) field.append(element("option", "", o));
    if (!first.options?.length) field.maxLength = 1024;
    field.setAttribute("aria-label", partName(first));
    field.addEventListener("change", () => turn(field.value));
    root.append(name, field);
    return p => { if (document.activeElement !== field) field.value = p.value || ""; };
  }
  root.append(name, says);
  if (first.kind !== "boolean") return p => say(says, p.value ? p.value + (p.unit ? " " + p.unit : "") : "–");
  const led = element("span", "led");
  led.setAttribute("role", "img");
  root.append(led);
  return p => {
    led.classList.toggle("on", !!p.on);
    led.setAttribute("aria-label", partName(p) + ": " + (p.on ? L("On") : L("Off")));
    say(says, p.on === undefined ? "–" : p.on ? L("On") : L("Off"));
  };
}

// ---- one series

function openDetail(series) {
  open = series;
  trace = { kind: "number", spans: [], texts: [], step: 0 };
  chosen = -1;
  $("controls").replaceChildren();
  $("table").open = $("coding").open = false;
  say($("snippet"), "");
  say($("cursor"), "");
  showDetail();
  $("detail").showModal();
  putAlarms();
  readTrace();
}

function showDetail() {
  if (!open) return;
  const r = all().find(r => r.series === open), t = topics.get(open);
  if (!r) { $("detail").close(); return; } // no longer there, or no longer ours
  say($("what"), title(r));
  say($("path"), r.series);
  say($("about"), t?.text || "");
  $("about").hidden = !t?.text;
  showValue($("value"), r);
  say($("when"), r.kind === "none" ? L("No value yet") : ago(r.at));
  showControls(r, t);
}

function showControls(r, t) {
  const box = $("controls"), kind = !t?.writable ? "" : isSwitch(r) ? "switch" : "text";
  if (box.dataset.kind !== kind || !box.firstChild) {
    box.dataset.kind = kind;
    box.replaceChildren();
    if (kind === "switch") box.append(makeSwitch(r.series), element("span", "wishes"));
    if (kind === "text") {
      const form = element("form"), input = element("input"), send = element("button", "main", L("Send"));
      input.setAttribute("aria-label", L("What the kit should do"));
      input.placeholder = L("What the kit should do");
      input.maxLength = 1024;
      if (t.kind === "number") {
        input.inputMode = "decimal";
        if (t.min || t.max) input.placeholder += " (" + number(t.min) + " – " + number(t.max) + ")";
      }
      form.append(input, send);
      form.addEventListener("submit", event => { event.preventDefault(); if (input.value) wish(open, input.value); });
      box.append(form, element("span", "wishes"));
    }
  }
  if (!kind) return;
  if (kind === "switch") showSwitch(box.querySelector(".switch"), r);
  const w = wishes.get(r.series), told = box.querySelector(".wishes");
  say(told, w ? w.say() : "");
  told.classList.toggle("bad", !!w?.bad);
}

const ms = t => Date.parse(t);

async function readTrace() {
  clearTimeout(tracing);
  const turn = readTrace.turn = (readTrace.turn || 0) + 1;
  const series = open, length = +document.querySelector("[name=range]:checked").value * 1000;
  if (!series) return;
  const end = Date.now() + skew, points = Math.max(100, Math.round($("chart").clientWidth / 1.5));
  try {
    const got = await api("GET", "topics/" + encodeURIComponent(topicOf(series)) + "/readings?" + new URLSearchParams({ leaf: series.split("#").slice(1).join("#"), from: new Date(end - length).toISOString(), to: new Date(end).toISOString(), points }));
    if (turn !== readTrace.turn || series !== open) return;
    [from, to] = [end - length, end];
    trace = {
      kind: got.kind, step: (got.step || 0) * 1000,
      spans: got.items.filter(x => x.text === undefined).map(x => ({ ...x, first: ms(x.at), last: ms(x.until || x.at) })),
      texts: got.items.filter(x => x.text !== undefined).map(x => ({ at: ms(x.at), text: x.text })),
    };
    if (chosen >= trace.spans.length) chosen = -1;
    showChart();
  } catch (e) {
    if (turn !== readTrace.turn || series !== open) return;
    say($("summary"), e.status ? e.message : L("No connection. Trying again …"));
  }
  tracing = setTimeout(readTrace, length > 3600000 ? 15000 : 2000);
}

const clock = (t, seconds) => new Date(t).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hourCycle: "h23" });

function showChart() {
  if (!open) return;
  const r = rows.get(open), unit = r?.kind === "number" && r.unit ? " " + r.unit : "";
  const drawn = trace.kind !== "text" && trace.spans.length > 0;
  $("chart").hidden = !drawn;
  if (drawn) {
    drawChart($("chart"), trace, from, to, { number, time: clock, on: L("On"), off: L("Off") }, chosen);
    const low = Math.min(...trace.spans.map(s => s.min)), high = Math.max(...trace.spans.map(s => s.max));
    say($("summary"), trace.kind === "boolean" ? L("Changes: {n}", { n: trace.spans.filter((s, i) => i && s.end !== trace.spans[i - 1].end).length })
      : L("Lowest {low}, highest {high}", { low: number(low) + unit, high: number(high) + unit }));
  } else if (trace.texts.length) {
    say($("summary"), L("Changes: {n}", { n: trace.texts.length }));
  } else {
    say($("summary"), L("No readings in this stretch of time"));
  }
  $("chart").setAttribute("aria-label", L("Chart of {name}", { name: $("what").textContent }) + ". " + $("summary").textContent);
  showCursor();
}

function spanText(s) {
  const unit = trace.kind === "number" && rows.get(open)?.unit ? " " + rows.get(open).unit : "";
  if (trace.kind === "boolean") return s.end ? L("On") : L("Off");
  return number(s.mean) + unit + (s.min < s.max ? " (" + number(s.min) + " – " + number(s.max) + ")" : "");
}

function showCursor() {
  const s = trace.spans[chosen];
  say($("cursor"), s && trace.kind !== "text" ? clock(s.last, true) + "  " + spanText(s) : "");
}

// showTable stays as it is while values arrive: somebody reads it.
function showTable() {
  if (!$("table").open) return;
  const line = (...cells) => {
    const tr = element("tr");
    tr.append(...cells.map(text => element("td", "", text)));
    return tr;
  };
  const list = trace.kind === "text" ? trace.texts.map(x => line(clock(x.at, true), x.text, "", ""))
    : trace.spans.map(s => line(clock(s.last, true), trace.kind === "boolean" ? spanText(s) : number(s.mean), number(s.min), number(s.max)));
  $("table").querySelector("tbody").replaceChildren(...list.reverse().slice(0, 500));
}

function move(by) {
  const n = trace.spans.length;
  if (!n) return;
  chosen = Math.max(0, Math.min(n - 1, chosen < 0 ? n - 1 : chosen + by));
  showChart();
}

async function readSnippet() {
  if (!$("coding").open || !open) return;
  try {
    const got = await api("GET", "snippets?" + new URLSearchParams({ topic: topicOf(open), language: $("kind").value }));
    say($("snippet"), got.code);
  } catch (e) {
    say($("snippet"), e.message);
  }
}

async function copy() {
  const text = $("snippet").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // only pages with TLS have a clipboard
    const area = element("textarea", "sr");
    area.value = text;
    $("detail").append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  $("copy").focus();
  $("copy").textContent = L("Copied");
  setTimeout(() => $("copy").textContent = L("Copy"), 2000);
}

// ---- what the person does

$("form").addEventListener("submit", async event => {
  event.preventDefault();
  say($("error"), "");
  $("go").disabled = true;
  const claiming = me.claimed === false, body = { name: $("name").value.trim(), password: $("password").value };
  if (claiming) Object.assign(body, { code: $("code").value.trim(), label: $("label").value.trim() });
  else body.cookie = true;
  try {
    await api("POST", claiming ? "claim" : "sessions", body);
    $("password").value = $("code").value = "";
    await look();
    $("main").focus();
  } catch (e) {
    say($("error"), e.status ? e.message : L("No connection. Trying again …"));
    $("password").select();
  }
  $("go").disabled = false;
});
$("out").addEventListener("click", async () => {
  try {
    await api("DELETE", "sessions");
    me = {};
    forget();
    await look();
    $("name").focus();
  } catch (e) {
    banner(e.message);
  }
});
$("search").addEventListener("input", show);
$("language").addEventListener("change", () => { store.set("language", $("language").value); speak($("language").value).then(look); });
$("dark").addEventListener("click", () => { const theme = isDark() ? "light" : "dark"; store.set("theme", theme); paint(theme); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint());
$("close").addEventListener("click", () => $("detail").close());
$("detail").addEventListener("close", () => { open = undefined; clearTimeout(tracing); putAlarms(); });
$("ask").addEventListener("click", () => { if (open) ask(open); });
$("enough").addEventListener("click", () => $("why").close());
$("why").addEventListener("close", putAlarms);
$("why").addEventListener("click", event => { if (event.target === $("why")) $("why").close(); }); // beside it
$("boards").addEventListener("toggle", () => { if ($("boards").open && me.signedIn) readBoards().catch(() => {}); });
$("detail").addEventListener("click", event => { if (event.target === $("detail")) $("detail").close(); }); // beside it
$("ranges").addEventListener("change", () => { chosen = -1; readTrace().then(showTable); });
$("table").addEventListener("toggle", showTable);
$("coding").addEventListener("toggle", readSnippet);
$("kind").addEventListener("change", readSnippet);
$("copy").addEventListener("click", copy);
$("chart").addEventListener("keydown", event => {
  const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 }[event.key];
  if (by) { event.preventDefault(); move(by); }
});
$("chart").addEventListener("pointermove", event => {
  const at = place($("chart"), from, to).t(event.offsetX), i = nearest(trace, at);
  if (i !== chosen) { chosen = i; showChart(); }
});
addEventListener("resize", () => { showChart(); putAlarms(); });
addEventListener("online", look);
addEventListener("hashchange", () => { takeCode(); look(); });
addEventListener("offline", () => banner(L("No connection. Trying again …")));
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
setInterval(() => {
  if (document.hidden) return;
  for (const r of all()) if (cards.has(r.series)) showAge(cards.get(r.series), r);
  if (open && rows.has(open)) say($("when"), ago(rows.get(open).at));
}, 1000);

paint(store.get("theme"));
const first = store.get("language") || navigator.language.slice(0, 2);
speak(["en", "fr", "ko"].includes(first) ? first : "en").then(look);
