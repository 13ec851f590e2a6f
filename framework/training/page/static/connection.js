// Sockets to the server that the page came from. The token stands in the address's fragment; it goes into sessionStorage and out of the
// address, so that it is in no history and no picture of the screen.
export function token() {
	if (location.hash.length > 1) {
		sessionStorage.setItem("token", location.hash.slice(1));
		history.replaceState(null, "", location.pathname);
	}
	return sessionStorage.getItem("token");
}

export function open(path, hello) {
	const socket = new WebSocket(`ws://${location.host}/${path}`);
	socket.binaryType = "arraybuffer";
	socket.addEventListener("open", () => socket.send(JSON.stringify({ token: token(), ...hello })));
	return socket;
}

// Live is a socket over which the page asks, and is told what happens.
export class Live {
	#socket; #next = 1; #waiting = new Map();
	constructor(path, onEvent, onEnd) {
		this.#socket = open(path, {});
		this.#socket.addEventListener("message", e => {
			const message = JSON.parse(e.data);
			if (message.event) return onEvent(message);
			const { resolve, reject } = this.#waiting.get(message.id);
			this.#waiting.delete(message.id);
			if (message.error) reject(new Error(message.error)); else resolve(message.ok);
		});
		this.#socket.addEventListener("close", e => onEnd(e.code, e.reason));
		this.ready = new Promise(resolve => this.#socket.addEventListener("open", resolve));
	}
	async ask(what, more = {}) {
		await this.ready;
		const id = this.#next++;
		const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
		this.#socket.send(JSON.stringify({ id, do: what, ...more }));
		return answer;
	}
}
