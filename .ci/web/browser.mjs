// The page in Chromium, beside mosquitto's clients, against a running
// build/homeroom-headless. Pictures go to build/browser, counts to the file
// that is the argument.
//
//   node .ci/web/browser.mjs build/report/browser.count
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = resolve(fileURLToPath(import.meta.url), "../../.."), pictures = join(root, "build/browser");
const program = join(root, "build/homeroom-headless");
const stage = mkdtempSync(join(tmpdir(), "homeroom-browser-")), data = join(stage, "data");
const children = new Set();
let passed = 0, failed = 0;
mkdirSync(pictures, { recursive: true });

// step is one checked thing that a person does or sees.
async function step(what, fn) {
  try {
    await fn();
    passed++;
    console.log("browser: ok    " + what);
  } catch (e) {
    failed++;
    console.log("browser: FAIL  " + what + ": " + String(e.message || e).slice(0, 600));
    for (const p of pages) if (!p.isClosed()) await p.screenshot({ path: join(pictures, `failed-${failed}-${pages.indexOf(p)}.png`) }).catch(() => {});
  }
}

const want = (ok, what) => { if (!ok) throw new Error(what); };
const sleep = ms => new Promise(done => setTimeout(done, ms));

// until waits until fn returns something, and returns that.
async function until(what, fn, ms = 10000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await fn();
    if (got) return got;
    if (Date.now() > end) throw new Error("never: " + what);
    await sleep(10);
  }
}

function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  child.out = "";
  child.stdout.on("data", d => child.out += d);
  child.stderr.on("data", d => child.out += d);
  children.add(child);
  child.ended = new Promise(done => child.on("close", code => { children.delete(child); done(code); }));
  return child;
}

// serve starts the program and waits until it is ready.
async function serve(...args) {
  const child = spawn(program, ["serve", "--data", data, "--mqtt", "127.0.0.1:0", "--mqtts", "-", "--http", "127.0.0.1:0", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const s = { child, errors: "" };
  children.add(child);
  s.ended = new Promise(done => child.on("close", code => { children.delete(child); done(code); }));
  child.stderr.on("data", d => s.errors += d);
  for await (const line of createInterface(child.stdout)) {
    const [, name, port] = line.match(/^(mqtt|http) listening on 127\.0\.0\.1:(\d+)/) || [];
    if (name) s[name] = port;
    if (line.startsWith("claim code: ")) s.claim = line.split(" ")[2];
    if (line === "ready") {
      child.stdout.resume();
      s.page = "http://127.0.0.1:" + s.http;
      return s;
    }
  }
  throw new Error("the program did not start: " + s.errors);
}

// the first Python that has paho-mqtt: Debian's may not be the first of all
const python = ["python3", "/usr/bin/python3"].find(p => { try { execFileSync(p, ["-c", "import paho.mqtt"], { stdio: "ignore" }); return true; } catch { return false; } });
const account = (input, ...args) => execFileSync(program, ["account", ...args, "--data", data], { input, stdio: ["pipe", "pipe", "ignore"] }).toString();
const as = name => ["-h", "127.0.0.1", "-p", home.mqtt, "-u", name, "-P", secrets[name]];
const publish = (name, topic, payload, ...args) => execFileSync("mosquitto_pub", [...as(name), "-q", "1", "-t", topic, "-m", payload, ...args]);
const listen = (name, topic, n = 1) => start("mosquitto_sub", [...as(name), "-q", "1", "-t", topic, "-C", String(n), "-W", "30", "-F", "%t %p"]);

// rest asks as a program does.
async function rest(who, method, path, body) {
  tokens[who] ||= await fetch(home.page + "/api/v1/sessions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name: who, password: secrets[who] }) }).then(a => a.json()).then(a => a.access_token);
  const answer = await fetch(home.page + "/api/v1/" + path, { method, headers: { Authorization: "Bearer " + tokens[who], "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : {};
}

const secrets = { teacher: "a good password", ana: "the password of ana", rolf: "the password of rolf" }, tokens = {};
const pages = [], complaints = [];
let home = await serve();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

// visit opens the page as a device of that size shows it.
async function visit(size, options = {}, path = "/") {
  const context = await browser.newContext({ viewport: size, locale: "en-GB", ...options });
  const page = await context.newPage();
  pages.push(page);
  page.on("pageerror", e => complaints.push("error: " + e.message));
  page.on("dialog", d => { complaints.push("dialog: " + d.message()); d.dismiss(); });
  page.on("console", m => { if (/content security policy|refused to/i.test(m.text())) complaints.push(m.text()); });
  await page.goto(home.page + path);
  return page;
}

const phone = { width: 360, height: 740 }, projector = { width: 1920, height: 1080 };
const card = (page, series) => page.locator(`.card[title=${JSON.stringify(series)}]`);
const shot = (page, name) => page.screenshot({ path: join(pictures, name + ".png"), animations: "disabled" });

async function signIn(page, name) {
  await page.fill("#name", name);
  await page.fill("#password", secrets[name]);
  await page.click("#go");
  await page.locator("#live").waitFor();
}

// inside wants nothing to stick out of the page on either side.
async function inside(page) {
  const wide = await page.evaluate(() => {
    const wide = [...document.querySelectorAll("body *")].filter(e => e.checkVisibility() && !e.closest("#skip, .sr, .scroll, pre, select") && (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1));
    return document.documentElement.scrollWidth > innerWidth ? ["the page itself"] : wide.map(e => e.outerHTML.slice(0, 120));
  });
  want(!wide.length, "sticks out: " + wide.join("\n"));
}

// named wants every control to have a name that a screen reader can say.
async function named(page) {
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, select, [role], [tabindex='0']")].filter(e => e.checkVisibility()
    && !(e.getAttribute("aria-label") || e.textContent || e.labels?.[0]?.textContent || "").trim() && !["status", "alert"].includes(e.getAttribute("role"))).map(e => e.outerHTML.slice(0, 200)));
  want(!nameless.length, "nameless: " + nameless.join("\n"));
}

try {
  const teacher = await visit(projector);
  await step("the first teacher claims Homeroom with the printed code", async () => {
    await teacher.locator("#form.claiming").waitFor();
    await teacher.fill("#code", home.claim);
    await teacher.fill("#name", "teacher");
    await teacher.fill("#password", secrets.teacher);
    await teacher.click("#go");
    await teacher.locator("#live").waitFor();
  });
  account(secrets.ana, "add", "ana", "--role", "student", "--team", "blue", "--label", "Ana 아나", "--password-stdin");
  account(secrets.rolf, "add", "rolf", "--role", "student", "--team", "red", "--password-stdin");
  for (const [kit, team] of [["kit-1", "blue"], ["kit-2", "red"], ["kit-3", "blue"]]) secrets[kit] = account("", "add", kit, "--role", "kit", "--team", team).trim().split(" ")[1];
  await until("the program knows the accounts", () => { try { publish("kit-1", "blue/lab/kit-1/temperature", "20.5"); return true; } catch { return false; } });
  await rest("teacher", "POST", "topics", { topic: "blue/lab/kit-1/lamp", kind: "boolean", writable: true, text: "The lamp over the <b>door</b>", retain: true });
  await rest("teacher", "POST", "topics", { topic: "blue/kitchen/kit-3/display", kind: "text", writable: true });
  await rest("teacher", "POST", "topics", { topic: "red/lab/kit-2/lamp", kind: "boolean", writable: true });
  publish("kit-1", "blue/lab/kit-1/lamp", "false", "-r");

  const ana = await visit(phone, { hasTouch: true, isMobile: true });
  await step("a wrong password is told, and the field is ready for another", async () => {
    await ana.fill("#name", "ana");
    await ana.fill("#password", "wrong");
    await ana.click("#go");
    await until("an error", async () => (await ana.textContent("#error")).length > 10);
    await inside(ana);
    await shot(ana, "phone-sign-in-light");
  });
  await step("a student signs in", async () => {
    await signIn(ana, "ana");
    await until("the name", async () => (await ana.textContent("#who")).includes("Ana 아나"));
    await card(ana, "blue/lab/kit-1/temperature").waitFor();
  });
  await step("a value that mosquitto_pub sends changes on the page", async () => {
    for (const v of ["21.5", "22.25", "-3"]) {
      publish("kit-1", "blue/lab/kit-1/temperature", v);
      await until(v, async () => (await card(ana, "blue/lab/kit-1/temperature").locator(".value").textContent()).startsWith(v));
    }
  });
  await step("what is no number is shown: text, a boolean, leaves of JSON", async () => {
    publish("kit-1", "blue/lab/kit-1/door", "true");
    publish("kit-1", "blue/lab/kit-1/note", "문이 열렸습니다");
    publish("kit-1", "blue/lab/kit-1/air", '{"temp":{"out":4.5},"ok":false}');
    await until("leaf", async () => await card(ana, "blue/lab/kit-1/air#temp.out").count() && (await card(ana, "blue/lab/kit-1/air#temp.out").locator(".value").textContent()).startsWith("4.5"));
    await until("text", async () => (await card(ana, "blue/lab/kit-1/note").locator(".value").textContent()) === "문이 열렸습니다");
    await until("boolean", async () => (await card(ana, "blue/lab/kit-1/door").locator(".value").textContent()) === "On");
  });

  const lamp = card(ana, "blue/lab/kit-1/lamp"), toggle = lamp.getByRole("switch");
  await step("a switch sends its wish by MQTT, and is on only when the kit says so", async () => {
    const kit = listen("kit-1", "blue/lab/kit-1/lamp/set");
    await sleep(400); // until it listens
    want(await toggle.getAttribute("aria-checked") === "false", "it is on before");
    await toggle.click();
    await until("MQTT message", () => kit.out.includes("lamp/set true"));
    await until("pending", async () => await toggle.getAttribute("aria-busy") === "true" && (await lamp.locator(".wish").textContent()).startsWith("Waiting"));
    want(await toggle.getAttribute("aria-checked") === "false", "it is on though the kit said nothing");
    await shot(ana, "phone-waiting-light");
    publish("kit-1", "blue/lab/kit-1/lamp", "true", "-r");
    await until("on", async () => await toggle.getAttribute("aria-checked") === "true" && await toggle.getAttribute("aria-busy") === "false");
  });
  await step("no answer from the kit is told", async () => {
    await toggle.focus();
    await ana.keyboard.press("Space");
    await until("told", async () => (await lamp.locator(".wish").textContent()) === "No answer from the kit.", 15000);
    want(await toggle.getAttribute("aria-checked") === "true", "it is off though the kit said nothing");
  });

  await step("a text is sent to a kit that has said nothing yet", async () => {
    const kit = listen("kit-3", "blue/kitchen/kit-3/display/set");
    await sleep(400);
    await card(ana, "blue/kitchen/kit-3/display").locator(".open").click();
    await ana.fill("#controls input", "안녕 \"Ana\"");
    await ana.keyboard.press("Enter");
    await until("MQTT message", () => kit.out.includes('display/set 안녕 "Ana"'));
    publish("kit-3", "blue/kitchen/kit-3/display", "안녕");
    await until("the kit's answer", async () => (await ana.textContent("#value")) === "안녕" && (await ana.textContent(".wishes")) === "");
    await inside(ana);
    await shot(ana, "phone-text-light");
    await ana.keyboard.press("Escape");
  });

  await step("stored scripts stay text: payload, topic, leaf, description", async () => {
    const bad = `<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>`;
    publish("kit-1", "blue/lab/kit-1/text", bad);
    publish("kit-1", "blue/lab/<svg onload=window.hacked=3>/x", "1");
    publish("kit-1", "blue/lab/kit-1/json", JSON.stringify({ [bad]: bad }));
    await until("payload", async () => (await card(ana, "blue/lab/kit-1/text").locator(".value").textContent()) === bad);
    await card(ana, "blue/lab/<svg onload=window.hacked=3>/x").waitFor();
    await card(ana, "blue/lab/kit-1/text").locator(".open").click();
    want((await ana.textContent("#value")) === bad, "the dialog shows something else");
    await ana.keyboard.press("Escape");
    await lamp.locator(".open").click();
    want((await ana.textContent("#about")) === "The lamp over the <b>door</b>", "description");
    await ana.keyboard.press("Escape");
    want(await ana.evaluate(() => window.hacked === undefined && !document.querySelector("main img, main script, main b:not(#refused)")), "it became HTML");
  });

  await step("a card opens into a chart; ranges, keyboard, table", async () => {
    for (let i = 0; i < 30; i++) publish("kit-1", "blue/lab/kit-1/temperature", String(20 + 2 * Math.sin(i / 4)));
    await card(ana, "blue/lab/kit-1/temperature").locator(".open").click();
    await until("summary", async () => (await ana.textContent("#summary")).startsWith("Lowest"));
    const painted = () => ana.evaluate(() => {
      const c = document.getElementById("chart"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
      return new Set(Array.from({ length: d.length / 4 }, (_, i) => d[4 * i] << 16 | d[4 * i + 1] << 8 | d[4 * i + 2])).size > 10;
    });
    want(await painted(), "the canvas is empty");
    for (const range of ["1 hour", "1 day", "10 min"]) {
      const answered = ana.waitForResponse(r => r.url().includes("/readings?"));
      await ana.getByLabel(range).check({ force: true });
      want((await answered).ok(), range);
    }
    await ana.focus("#chart");
    await ana.keyboard.press("ArrowLeft");
    const before = await until("cursor", () => ana.textContent("#cursor"));
    await ana.keyboard.press("Home");
    await until("another reading", async () => (await ana.textContent("#cursor")) !== before);
    want((await ana.getAttribute("#chart", "aria-label")).includes("Lowest"), "the chart has no words");
    await ana.click("#table summary");
    await until("a table", async () => await ana.locator("#table tbody tr").count() > 5);
    await ana.click("#table summary");
    await inside(ana);
    await named(ana);
    await shot(ana, "phone-chart-light");
  });
  await step("client code has real values and can be copied", async () => {
    await ana.click("#coding summary");
    for (const [kind, has] of [["arduino", `KIT = "kit-1"`], ["rooms", `"blue/lab/kit-1/temperature"`], ["curl", "127.0.0.1:" + home.http]]) {
      await ana.selectOption("#kind", kind);
      await until(kind, async () => (await ana.textContent("#snippet")).includes(has));
    }
    await ana.click("#copy");
    await until("copied", async () => (await ana.textContent("#copy")) === "Copied");
    await inside(ana);
    await ana.locator("#coding").evaluate(e => e.scrollIntoView());
    await shot(ana, "phone-code-light");
    await ana.click("#close");
  });

  await step("another team's rooms stay closed, and the refusal is told", async () => {
    publish("kit-2", "red/lab/kit-2/secret", "42");
    const answers = await ana.evaluate(async () => {
      const ask = (path, options) => fetch("/api/v1/" + path, options).then(a => a.status);
      const socket = new WebSocket("/ws");
      const heard = [];
      socket.onmessage = e => heard.push(...e.data.split("\n").filter(Boolean).map(JSON.parse));
      await new Promise(done => socket.onopen = done);
      socket.send(JSON.stringify({ id: 1, connect: {} }));
      ["red/lab/kit-2/secret", "red/#", "#", "+/lab/kit-2/secret", "$share/x/red/#", "$SYS/#"].forEach((channel, i) => socket.send(JSON.stringify({ id: i + 2, subscribe: { channel } })));
      for (let i = 0; i < 500 && heard.filter(a => a.id).length < 7; i++) await new Promise(done => setTimeout(done, 20));
      socket.close();
      return {
        heard, rest: [await ask("topics/red%2Flab%2Fkit-2%2Fsecret/readings"), await ask("topics/red%2Flab%2Fkit-2%2Flamp%2Fset/messages", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"payload":"true"}' })],
      };
    });
    want(answers.rest.every(s => s === 403), "REST answered " + answers.rest);
    // for her, whose topics are mounted in blue/, # is all of blue
    const joined = answers.heard.filter(a => a.id > 1 && !a.error && !a.subscribe.data.topic.startsWith("blue/"));
    want(answers.heard.some(a => a.id === 1 && a.connect), "the socket did not open: " + JSON.stringify(answers.heard));
    want(!joined.length && !JSON.stringify(answers.heard).includes('"42"'), "the socket joined " + JSON.stringify(joined));
    want(await card(ana, "red/lab/kit-2/secret").count() === 0, "red is on blue's page");
    await until("told", async () => +(await ana.textContent("#refused")) > 0);
    await ana.click("#refusals summary");
    await until("it is there in words", async () => (await ana.textContent("#refusals ul")).includes("red/lab/kit-2/secret"));
    await inside(ana);
    await ana.locator("#refusals").evaluate(e => e.scrollIntoView());
    await shot(ana, "phone-refused-light");
    await ana.click("#refusals summary");
  });

  await step("French and Korean, at once and everywhere", async () => {
    for (const [language, out, search] of [["fr", "Se déconnecter", "Rechercher"], ["ko", "로그아웃", "검색"]]) {
      await ana.selectOption("#language", language);
      await until(out, async () => (await ana.textContent("#out")) === out);
      want((await ana.getAttribute("#search", "aria-label")) === search, "search is " + await ana.getAttribute("#search", "aria-label"));
      want((await ana.getAttribute("html", "lang")) === language, "lang");
      await inside(ana);
      await shot(ana, "phone-rooms-" + language);
    }
    await ana.reload();
    await until("it is remembered", async () => (await ana.textContent("#out")) === "로그아웃");
    await ana.selectOption("#language", "en");
    await until("English", async () => (await ana.textContent("#out")) === "Sign out");
  });
  await step("dark by the switch, and by the system", async () => {
    const back = page => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await back(ana);
    await ana.click("#dark");
    want(await ana.getAttribute("#dark", "aria-pressed") === "true" && await back(ana) !== light, "it stays light");
    await lamp.waitFor();
    await ana.evaluate(() => scrollTo(0, 0));
    await shot(ana, "phone-rooms-dark");
    await lamp.locator(".open").click();
    await shot(ana, "phone-lamp-dark");
    await ana.keyboard.press("Escape");
    await ana.click("#dark");
    want(await back(ana) === light, "it stays dark");
    await shot(ana, "phone-rooms-light");
    const night = await visit(phone, { colorScheme: "dark" });
    want(await back(night) !== light, "the system's dark is not followed");
    await night.locator("#form").waitFor();
    await shot(night, "phone-sign-in-dark");
    await night.context().close();
  });
  await step("keyboard alone: from the top to a chart and back", async () => {
    await ana.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
    for (let i = 0; i < 40 && !await ana.evaluate(() => document.activeElement.classList.contains("open")); i++) await ana.keyboard.press("Tab");
    const on = await ana.evaluate(() => document.activeElement.closest(".card")?.title);
    want(on, "Tab does not reach a card");
    want(await ana.evaluate(() => getComputedStyle(document.activeElement, "::after").outlineStyle) === "solid", "no focus ring");
    await ana.keyboard.press("Enter");
    await ana.locator("#detail[open]").waitFor();
    await ana.keyboard.press("Escape");
    want(await ana.evaluate(() => document.activeElement.closest(".card")?.title) === on, "the focus is lost");
    await named(ana);
  });

  await step("the projector: every team, large, light and dark", async () => {
    for (let i = 0; i < 12; i++) {
      for (const kit of ["kit-1", "kit-2"]) {
        const team = kit === "kit-1" ? "blue" : "red";
        publish(kit, `${team}/lab/${kit}/humidity`, (45 + 8 * Math.sin(i / 3)).toFixed(1));
        publish(kit, `${team}/kitchen/${kit}/brightness`, (55 + 30 * Math.cos(i / 2)).toFixed(0));
      }
      await sleep(300);
    }
    await card(teacher, "red/kitchen/kit-2/brightness").waitFor();
    await inside(teacher);
    await shot(teacher, "projector-rooms-light");
    await teacher.click("#dark");
    await shot(teacher, "projector-rooms-dark");
    await card(teacher, "blue/lab/kit-1/humidity").locator(".open").click();
    await until("summary", async () => (await teacher.textContent("#summary")).startsWith("Lowest"));
    await inside(teacher);
    await shot(teacher, "projector-chart-dark");
    await teacher.keyboard.press("Escape");
    await teacher.click("#dark");
  });

  await step("a one-time code from a QR signs in once, and leaves the address", async () => {
    const made = await rest("teacher", "POST", "codes", { account: "rolf" });
    const rolf = await visit(phone, {}, "/#code=" + encodeURIComponent(made.code));
    await rolf.locator("#live").waitFor();
    want(!rolf.url().includes("code") && !rolf.url().includes("#"), "the address is " + rolf.url());
    want((await rolf.textContent("#who")).includes("rolf"), "somebody else");
    const second = await visit(phone, {}, "/#code=" + encodeURIComponent(made.code));
    await second.locator("#form").waitFor();
    await until("told", async () => (await second.textContent("#error")).length > 5);
    await rolf.context().close();
    await second.context().close();
  });

  await rest("teacher", "POST", "plan/templates/four-boards", { branches: ["blue"] });
  await rest("teacher", "PUT", "alarms/bright", { topic: "blue/brightness", kind: "above", limit: 90, clear: 5, label: "Too <b>bright</b>" });
  const board = await visit({ width: 390, height: 844 }, { hasTouch: true, isMobile: true });
  const part = (kit, what) => board.locator(`.board[data-kit$=${JSON.stringify(kit)}] ${what}`);
  await step("virtual kits of the team: the phone is the button, the light sensor and the lamp", async () => {
    await signIn(board, "ana");
    await until("boards are ready", async () => await board.locator(".board .lamp.ready").count() >= 3, 20000);
    want(await board.locator(".board").evaluateAll(all => all.every(b => b.dataset.kit.startsWith("blue/"))), "a board of another team");
    const dark = listen("ana", "blue/brightness", 9), button = listen("ana", "blue/button", 9);
    await sleep(400);
    await part("sensor", "input[type=range]").first().fill("20");
    await until("MQTT brightness", () => dark.out.includes("blue/brightness 20"));
    await until("the lamp is lit, because it is dark", async () => await board.locator(".board .led.on").count() > 0);
    const press = board.locator(".press").first();
    await press.scrollIntoViewIfNeeded();
    const at = await press.boundingBox();
    await board.mouse.move(at.x + 40, at.y + 30);
    const before = button.out.length;
    await board.mouse.down();
    await until("MQTT button", () => button.out.length > before);
    want(await press.evaluate(e => e.classList.contains("down")), "it is not down while it is held");
    await board.mouse.up();
    want(await press.evaluate(e => !e.classList.contains("down")), "it stays down");
    await inside(board);
    await named(board);
    await board.evaluate(() => scrollTo(0, 0));
    await shot(board, "phone-boards-light");
    await board.click("#dark");
    await shot(board, "phone-boards-dark");
    await board.click("#dark");
  });
  await step("why the lamp is on: a sheet with the chain", async () => {
    await part("sensor", "input[type=range]").first().fill("80");
    await sleep(600);
    await part("sensor", "input[type=range]").first().fill("15");
    await card(board, "blue/light").locator(".ask").click();
    await until("a chain", async () => {
      if (await board.locator("#steps li").count() > 1) return true;
      await board.click("#enough");
      await card(board, "blue/light").locator(".ask").click();
      await sleep(500);
      return false;
    }, 20000);
    want(await board.locator("#steps li.effect").count() === 1, "no step is the effect");
    want(await board.locator("#why").evaluate(e => document.getElementById("steps").getBoundingClientRect().bottom > e.getBoundingClientRect().bottom - 60), "the sheet is not as high as what it says");
    await inside(board);
    await named(board);
    await shot(board, "phone-why-light");
    await board.click("#enough");
    await board.click("#dark");
    await card(board, "blue/light").locator(".open").click();
    await board.click("#ask");
    await board.locator("#steps li.effect").waitFor();
    await shot(board, "phone-why-dark");
    await board.click("#enough");
    await board.keyboard.press("Escape");
    await board.click("#dark");
  });
  await step("an alarm is over everything until a person has seen it", async () => {
    await part("sensor", "input[type=range]").first().fill("95");
    await board.locator("#alarms button").waitFor();
    want((await board.textContent("#alarms b")) === "Too <b>bright</b>", "the label is " + await board.textContent("#alarms b"));
    await board.evaluate(() => scrollTo(0, 0));
    await inside(board);
    await shot(board, "phone-alarm-light");
    await card(board, "blue/light").locator(".open").click();
    want(await board.evaluate(() => { const b = document.querySelector("#alarms button").getBoundingClientRect(); return document.elementFromPoint(b.x + 5, b.y + 5)?.closest("#alarms") !== null; }), "the dialog covers it");
    await board.keyboard.press("Escape");
    await board.click("#dark");
    await shot(board, "phone-alarm-dark");
    await board.click("#dark");
    await board.selectOption("#language", "ko");
    await until("Korean", async () => (await board.textContent("#alarms button")) !== "I have seen it" && !(await board.textContent("#alarms span")).includes("more than"));
    await inside(board);
    await board.evaluate(() => scrollTo(0, 0));
    await shot(board, "phone-boards-ko");
    await board.selectOption("#language", "fr");
    await until("French", async () => (await board.textContent(".board .press")).length > 0 && (await board.textContent("#out")) === "Se déconnecter");
    await inside(board);
    await board.selectOption("#language", "en");
    await board.click("#alarms button");
    await board.locator("#alarms").waitFor({ state: "hidden" });
    const { items } = await rest("teacher", "GET", "alarms?calling=true");
    want(items[0]?.state.by === "ana", "nobody knows who has seen it: " + JSON.stringify(items));
    want(await ana.locator("#alarms").isHidden() || await until("gone on the other phone", () => ana.locator("#alarms").isHidden()), "it stays elsewhere");
  });
  await board.context().close();

  await step("client code runs: Python, MQTT.js, rooms, curl", async () => {
    symlinkSync(join(root, ".ci/web/node_modules"), join(stage, "node_modules"));
    writeFileSync(join(stage, "ws.mjs"), 'import { WebSocket } from "ws";\nglobalThis.WebSocket ??= WebSocket;\n'); // Node.js has its own from 22 on
    const name = "blue/lab/kit-1/lamp";
    const ways = { python: ["x.py", python], mqttjs: ["m.mjs", "node"], rooms: ["r.mjs", "node", "--import", "./ws.mjs"], curl: ["c.sh", "sh"] };
    for (const [kind, [file, tool, ...args]] of Object.entries(ways)) {
      want(tool, "no Python has paho-mqtt: make deps installs it");
      const { code } = await rest("ana", "GET", "snippets?" + new URLSearchParams({ topic: name, language: kind }));
      const path = join(stage, file);
      writeFileSync(path, code.replace("YOUR-PASSWORD", secrets.ana));
      const kit = listen("kit-1", name + "/set");
      await sleep(400);
      const run = start(tool, [...args, path], { cwd: stage, detached: true }); // with what it starts
      await until(`${kind} commands the kit (it said ${run.out})`, () => kit.out.includes("lamp/set true") || run.exitCode > 0 && !console.log(run.out));
      want(kit.out.includes("lamp/set true"), kind + ": " + run.out);
      await until(`${kind} hears the kit`, () => { publish("kit-1", name, "false", "-r"); return run.out.includes("false"); });
      process.kill(-run.pid);
      await run.ended;
    }
  });

  await step("access ends at once when a grant goes", async () => {
    await card(ana, "blue/lab/kit-1/temperature").waitFor();
    const { items } = await rest("teacher", "GET", "grants");
    const grants = items.filter(g => g.action === "subscribe" && (g.pattern || "").startsWith("{team}"));
    want(grants.length, "no grant to revoke in " + JSON.stringify(items));
    const began = Date.now();
    for (const g of grants) await rest("teacher", "DELETE", "grants/" + g.id);
    await until("the card is gone", async () => await card(ana, "blue/lab/kit-1/temperature").count() === 0);
    console.log(`browser:       the page was empty ${Date.now() - began} ms after the revoke was sent`);
    publish("kit-1", "blue/lab/kit-1/temperature", "99");
    await sleep(500);
    want(!(await ana.textContent("#rooms")).includes("99"), "it still reads");
    for (const g of grants) await rest("teacher", "POST", "grants", Object.fromEntries(["role", "team", "account", "action", "pattern"].filter(k => g[k]).map(k => [k, g[k]])));
    await card(ana, "blue/lab/kit-1/temperature").waitFor();
  });
  await step("a changed password signs the page out", async () => {
    secrets.ana = "another password";
    account(secrets.ana, "passwd", "ana", "--password-stdin");
    const began = Date.now();
    await ana.locator("#form").waitFor();
    console.log(`browser:       signed out ${Date.now() - began} ms after the change`);
    want(await ana.locator(".card").count() === 0, "values stay on the page");
    await signIn(ana, "ana");
    await card(ana, "blue/lab/kit-1/temperature").waitFor();
  });

  await step("without the program the page says so, and comes back by itself", async () => {
    const port = home.http;
    home.child.kill("SIGTERM");
    want(await home.ended === 0, "exit code");
    await ana.locator("#banner").waitFor();
    want((await ana.textContent("#banner")).startsWith("No connection"), "banner");
    await inside(ana);
    await shot(ana, "phone-offline-light");
    home = await serve("--http", "127.0.0.1:" + port);
    await ana.locator("#banner").waitFor({ state: "hidden" });
    await signIn(ana, "ana");
    await card(ana, "blue/lab/kit-1/temperature").waitFor();
    publish("kit-1", "blue/lab/kit-1/temperature", "7.75");
    await until("a new value", async () => (await card(ana, "blue/lab/kit-1/temperature").locator(".value").textContent()).startsWith("7.75"));
  });
  await step("signing out leaves nothing behind", async () => {
    await ana.click("#out");
    await ana.locator("#form").waitFor();
    want(await ana.locator(".card").count() === 0, "cards stay");
    want(await ana.evaluate(() => fetch("/api/v1/live").then(a => a.status)) === 401, "the session stays");
  });
  await step("no script failed, no policy was broken, nothing popped up", async () => want(!complaints.length, complaints.join("\n")));
} catch (e) {
  failed++;
  console.log("browser: FAIL  " + e.stack);
} finally {
  await browser.close().catch(() => {});
  for (const child of children) { child.kill("SIGKILL"); try { process.kill(-child.pid, "SIGKILL"); } catch { /* it has no group of its own */ } }
  if (home.errors.trim()) console.log("browser:       the program said " + home.errors.trim().slice(0, 2000));
  rmSync(stage, { recursive: true, force: true });
}
const line = `${passed} passed, ${failed} failed, 0 skipped`;
console.log("browser: " + line);
writeFileSync(join(root, process.argv[2] || "build/report/browser.count"), line + "\n");
process.exit(failed || !passed ? 1 : 0);
