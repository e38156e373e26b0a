// The clients that people have, MQTT.js and the centrifuge SDK, against a running
// program. The environment has PAGE (http://host:port) and the PASSWORD of teacher
// and of ana, a student of team blue. When it prints "joined", ana is to be
// disabled; it ends with "done".
import { Centrifuge } from "centrifuge";
import mqtt from "mqtt";
import WebSocket from "ws";

const { PAGE, PASSWORD } = process.env;
const socket = PAGE.replace("http", "ws");
const want = (ok, what) => { if (!ok) throw new Error(what); };
const within = (promise, what) => Promise.race([promise, new Promise((_, no) => setTimeout(() => no(new Error("never: " + what)), 15000).unref())]);
const once = (emitter, event, what) => within(new Promise(done => emitter.once(event, done)), what ?? event);

async function token(name) {
  const answer = await fetch(PAGE + "/api/v1/sessions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name, password: PASSWORD }) });
  const tokens = await answer.json();
  want(answer.ok && tokens.access_token, `sign in: ${answer.status} ${JSON.stringify(tokens)}`);
  return tokens.access_token;
}

// heard collects messages; the result waits for one.
function heard() {
  const all = [], waiting = [];
  const hear = m => { all.push(m); waiting.splice(0).forEach(look => look()); };
  const wait = (what, is) => within(new Promise(done => {
    const look = () => { const m = all.find(is); m ? done(m) : waiting.push(look); };
    look();
  }), what);
  return { hear, wait };
}

const teacher = mqtt.connect(socket + "/mqtt", { username: "teacher", password: PASSWORD, protocolVersion: 5, reconnectPeriod: 0 });
await once(teacher, "connect", "MQTT.js connects with MQTT 5");
const at = heard();
teacher.on("message", (topic, payload, packet) => at.hear({ topic, payload: payload.toString(), qos: packet.qos, retain: packet.retain }));
await teacher.subscribeAsync("blue/#", { qos: 2 });
await teacher.publishAsync("blue/lamp/set", "on", { qos: 1, retain: true });

const ana = new Centrifuge(socket + "/ws", { websocket: WebSocket, getToken: () => token("ana") });
ana.connect();
await within(ana.ready(), "the SDK connects");
const lamp = ana.newSubscription("blue/lamp/set"), rooms = heard();
lamp.on("publication", ctx => rooms.hear({ channel: ctx.channel, ...ctx.data }));
lamp.subscribe();
const joined = await once(lamp, "subscribed", "the SDK joins");
want(joined.data.topic === "blue/lamp/set" && joined.data.retained[0]?.payload === "on" && joined.data.retained[0].retain, "the retained value is in the answer: " + JSON.stringify(joined.data));

await teacher.publishAsync("blue/lamp/set", "off", { qos: 2 });
const off = await rooms.wait("MQTT.js to the SDK", m => m.payload === "off");
want(off.channel === "blue/lamp/set" && off.topic === "blue/lamp/set" && off.qos === 2 && !isNaN(Date.parse(off.at)), JSON.stringify(off));

await lamp.publish("dim");
await at.wait("the SDK to MQTT.js", m => m.topic === "blue/lamp/set" && m.payload === "dim");
const { data: told } = await ana.rpc("publish", { topic: "blue/lamp", payload: "교실 é", qos: 2, retain: true });
want(told.topic === "blue/lamp" && told.retain, JSON.stringify(told));
await at.wait("by procedure", m => m.topic === "blue/lamp" && m.payload === "교실 é" && m.qos === 2);
const { clients } = await lamp.presence();
want(Object.values(clients).some(c => c.user === "ana"), "who watches: " + JSON.stringify(clients));
const all = ana.newSubscription("blue/#");
all.subscribe();
want((await once(all, "subscribed", "a wildcard room")).data.retained.length === 2, "both retained values");

// Ana's account is mounted: blue/lamp is her lamp.
const short = ana.newSubscription("lamp"), shorts = heard();
short.on("publication", ctx => shorts.hear({ channel: ctx.channel, ...ctx.data }));
short.subscribe();
want((await once(short, "subscribed", "a short name")).data.topic === "blue/lamp", "its real name is told");
await teacher.publishAsync("blue/lamp", "short");
want((await shorts.wait("by the short name", m => m.payload === "short")).channel === "lamp", "the short name is kept");

for (const [channel, code] of [["red/lamp", 103], ["red/#", 103], ["$SYS/#", 103], ["$share/g/red/#", 107], ["blue/nothing", 102]]) {
  const refused = ana.newSubscription(channel);
  refused.subscribe();
  const no = await once(refused, "unsubscribed", channel + " is refused");
  want(no.code === code && no.reason.endsWith("."), `${channel}: ${no.code} ${no.reason}`);
}
await ana.rpc("publish", { topic: "red/lamp", payload: "on" }).then(() => want(false, "published to another team"), e => want(e.code === 103, JSON.stringify(e)));

const wrong = mqtt.connect(socket + "/mqtt", { username: "ana", password: "wrong", reconnectPeriod: 0 });
const no = await once(wrong, "error", "a wrong password is refused");
want(no.code === 4 || no.code === 5, `${no.code} ${no}`);

const stream = await fetch(PAGE + "/sse?topic=" + encodeURIComponent("blue/lamp"), { headers: { Authorization: "Bearer " + await token("ana") } });
const text = new TextDecoder();
let seen = "";
const reader = stream.body.getReader();
while (!seen.includes("교실 é")) seen += text.decode((await within(reader.read(), "the stream")).value, { stream: true });

const device = mqtt.connect(socket + "/mqtt", { username: "ana", password: PASSWORD, clientId: "", clean: true, protocolVersion: 4, keepalive: 2, reconnectPeriod: 0 });
await once(device, "connect", "MQTT.js connects with MQTT 3.1.1");
await new Promise(done => setTimeout(done, 5000)); // more than one and a half times the Keep Alive
want(device.connected, "pings keep the connection");

const over = [once(ana, "disconnected", "the SDK is disconnected"), once(device, "close", "MQTT.js is disconnected"), within((async () => {
  for (;;) { if ((await reader.read()).done) return; }
})(), "the stream ends")];
console.log("joined");
const [why] = await Promise.all(over);
want(why.code === 4500, `disconnected with ${why.code} ${why.reason}`);
await teacher.endAsync();
console.log("done");
process.exit(0);
