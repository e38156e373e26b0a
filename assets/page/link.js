// The line to the rooms: centrifuge's JSON protocol, as much of it as the page
// needs. It comes back by itself, and says whether it is there.
// https://centrifugal.dev/docs/transports/client_protocol

// Link joins channels, which are topic filters, and tells what arrives there. tell
// has the functions down(), joined(channel, data), message(data), refused(channel)
// and left(channel), which is what a channel does that is no longer allowed.
export class Link {
  constructor(path, tell) {
    Object.assign(this, { path, tell, channels: new Set(), tries: 0, id: 0, waiting: new Map(), open: false });
  }

  // start connects, and again whenever the connection is lost.
  start() {
    if (this.socket) return;
    clearTimeout(this.timer);
    const socket = this.socket = new WebSocket(new URL(this.path, location.href.replace(/^http/, "ws")));
    socket.onopen = () => this.ask({ connect: {} }, (reply, error) => {
      if (error) { socket.close(); return; }
      this.open = true;
      this.tries = 0;
      this.patience = ((reply.ping || 25) + 10) * 1000;
      this.listen();
      this.channels.forEach(c => this.subscribe(c));
    });
    socket.onmessage = event => {
      this.listen();
      for (const line of event.data.split("\n")) if (line && socket === this.socket) this.take(JSON.parse(line));
    };
    socket.onclose = () => { if (socket === this.socket) this.lost(); };
    this.listen();
  }

  // stop leaves for good.
  stop() {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = undefined;
    this.open = false;
    this.channels.clear();
    this.waiting.clear();
    if (socket) socket.close();
  }

  lost() {
    const was = this.open, socket = this.socket;
    clearTimeout(this.silence);
    this.socket = undefined;
    this.open = false;
    this.waiting.clear();
    socket.close();
    // a class whose access point comes back does not knock all at once
    this.timer = setTimeout(() => this.start(), Math.min(20000, 400 * 2 ** this.tries++) * (.5 + Math.random()));
    if (was) this.tell.down();
  }

  // listen gives up on a line that has been silent for longer than pings come.
  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(), this.patience || 15000);
  }

  ask(command, answer) {
    command.id = ++this.id;
    this.waiting.set(command.id, answer);
    this.socket.send(JSON.stringify(command));
  }

  join(channel) {
    if (this.channels.has(channel)) return;
    this.channels.add(channel);
    if (this.open) this.subscribe(channel);
  }

  subscribe(channel) {
    this.ask({ subscribe: { channel: channel.replaceAll("%", "%25") } }, (reply, error) => {
      if (!error) { this.tell.joined(channel, reply.data); return; }
      this.channels.delete(channel);
      this.tell.refused(channel);
    });
  }

  take(line) {
    const { id, error, push } = line;
    if (id) {
      const answer = this.waiting.get(id);
      this.waiting.delete(id);
      if (answer) answer(line.connect || line.subscribe || {}, error);
    } else if (!push) {
      this.socket.send("{}"); // a ping
    } else if (push.pub) {
      this.tell.message(push.pub.data);
    } else if (push.unsubscribe) {
      const channel = push.channel.replaceAll("%25", "%");
      this.channels.delete(channel);
      this.tell.left(channel);
    } else if (push.disconnect) {
      this.lost();
    }
  }
}
