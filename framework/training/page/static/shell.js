// Terminals: live ones, and those of the debrief that are played again.
import { Terminal } from "./xterm/xterm.mjs";
import { FitAddon } from "./xterm/addon-fit.mjs";
import { open } from "./connection.js";

const dark = { background: "#14171b", foreground: "#e8ebee", cursor: "#e8ebee", selectionBackground: "#40607f" };
const light = { background: "#ffffff", foreground: "#1b1f24", cursor: "#1b1f24", selectionBackground: "#b5d2f5", brightWhite: "#57606a", white: "#6e7781", yellow: "#7a5200", brightYellow: "#7a5200", green: "#116329", brightGreen: "#116329", cyan: "#0b5a66", brightCyan: "#0b5a66" };
const all = new Set();

export function recolour(isDark) {
	for (const t of all) t.options.theme = isDark ? dark : light;
}

function terminal(into, isDark, options) {
	const t = new Terminal({ fontSize: 14, scrollback: 5000, screenReaderMode: true, theme: isDark ? dark : light, ...options });
	all.add(t);
	t.open(into);
	return t;
}

// shell opens one on a machine. F6 is the documented way out of it by keyboard: xterm.js would take it, as it takes Tab.
export function shell(machine, into, isDark, t, onEnd) {
	const term = terminal(into, isDark, {});
	const fit = new FitAddon();
	term.loadAddon(fit);
	fit.fit();
	term.attachCustomKeyEventHandler(e => e.key !== "F6");
	const socket = open("terminal", { machine, size: { columns: term.cols, rows: term.rows } });
	socket.addEventListener("message", e => term.write(new Uint8Array(e.data)));
	socket.addEventListener("close", e => {
		term.write(`\r\n\x1b[2m${e.reason || t.ended}\x1b[0m\r\n`);
		resize.disconnect();
		onEnd();
	});
	const encoder = new TextEncoder();
	// What is typed before the socket is open waits for it.
	const opened = new Promise(resolve => socket.addEventListener("open", resolve));
	const send = async bytes => {
		await opened;
		// The server takes 64 KiB in one message: a paste goes in pieces.
		for (let i = 0; i < bytes.length; i += 32768) socket.send(bytes.subarray(i, i + 32768));
	};
	term.onData(data => send(encoder.encode(data)));
	term.onBinary(data => send(Uint8Array.from(data, c => c.charCodeAt(0))));
	term.onResize(({ cols, rows }) => {
		if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ columns: cols, rows }));
	});
	const resize = new ResizeObserver(() => fit.fit());
	resize.observe(into);
	return {
		focus: () => term.focus(),
		close: () => { socket.close(); all.delete(term); term.dispose(); },
	};
}

// watch shows somebody else's terminal, in which nothing can be typed.
export function watch(learner, number, into, isDark, t) {
	const term = terminal(into, isDark, { disableStdin: true });
	const socket = open("watch", { learner, terminal: number });
	socket.addEventListener("message", e => {
		if (typeof e.data !== "string") return term.write(new Uint8Array(e.data));
		const { columns, rows } = JSON.parse(e.data);
		if (columns > 0 && rows > 0) term.resize(columns, rows);
	});
	socket.addEventListener("close", e => term.write(`\r\n\x1b[2m${e.reason || t.ended}\x1b[0m\r\n`));
	return { close: () => { socket.close(); all.delete(term); term.dispose(); } };
}

// replay plays a recording (asciicast v2: a header, then a line for each output), at a multiple of its speed. Long waits are cut short.
export async function replay(recording, into, isDark, speed, signal) {
	const [header, ...events] = recording.trim().split("\n").map(line => JSON.parse(line));
	into.replaceChildren();
	const term = terminal(into, isDark, { cols: header.width, rows: header.height, disableStdin: true });
	let before = 0;
	for (const [at, kind, data] of events) {
		await new Promise(resolve => setTimeout(resolve, Math.min(at - before, 2) * 1000 / speed()));
		if (signal.aborted) return;
		before = at;
		if (kind === "o") term.write(data);
		if (kind === "r") term.resize(...data.split("x").map(Number));
	}
}
