import { Live, token } from "./connection.js";
import { watch } from "./shell.js";
import { $, lang, lost, minutes, speak, t, translate, trouble } from "./common.js";

let places = [], watched = null, host = null;
const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const chosen = () => Math.max(0, $("learner").selectedIndex);

function show() {
	$("learners").tBodies[0].replaceChildren(...places.map(p => {
		const row = document.createElement("tr");
		const name = document.createElement("th");
		name.scope = "row";
		name.textContent = p.name;
		row.append(name);
		const cells = p.error ? [p.error] : [p.title, minutes(p.seconds) + (p.paused ? " " + t().paused : ""), p.hints, p.checks,
			t().verdicts[p.verdict] ?? "", p.terminals.map(x => x.machine).join(", ") || t().noTerminal];
		for (const text of cells) row.insertCell().textContent = text;
		return row;
	}));
	if ($("learner").options.length !== places.length) $("learner").replaceChildren(...places.map(p => new Option(p.name)));
	const p = places[chosen()];
	if (!p) return;
	$("pause").textContent = p.paused ? t().resume : t().pause;
	$("hold").textContent = p.held ? t().release : t().hold;
	const wanted = p.terminals.map(x => `${chosen()}/${x.number}`).join(" ");
	// The buttons are made anew only where there are others: who is on one of them stays there.
	if ($("watching").dataset.of === wanted + lang()) return;
	$("watching").dataset.of = wanted + lang();
	$("watching").replaceChildren(...p.terminals.map(x => {
		const button = Object.assign(document.createElement("button"), { textContent: `${t().watch}: ${x.machine}` });
		button.addEventListener("click", () => look(chosen(), x));
		return button;
	}));
}

function look(learner, x) {
	watched?.close();
	const box = document.createElement("section");
	box.className = "shell";
	box.setAttribute("aria-label", `${places[learner].name}: ${x.machine}`);
	const heading = Object.assign(document.createElement("h3"), { textContent: `${places[learner].name}: ${x.machine}` });
	const screen = document.createElement("div");
	screen.className = "screen";
	box.append(heading, screen);
	$("shells").replaceChildren(box);
	watched = watch(learner, x.number, screen, isDark(), t());
	// It is below the tables, and xterm.js draws nothing of a terminal that is out of sight.
	box.scrollIntoView({ block: "nearest" });
}

// showHost says how loaded the machine is, and in words whether that is too much. Rows stay, so that nobody loses their place in them.
function showHost(h) {
	const GiB = bytes => (bytes / 2 ** 30).toFixed(1);
	const full = use => use.now >= use.limit ? t().isFull : "";
	const rows = [
		...h.error ? [[t().memory, "", t().unknown(h.error)]] : [
			[t().memory, t().memoryUse(GiB(h.memory - h.available), GiB(h.memory), GiB(h.available)), h.available < h.memory / 10 ? t().littleMemory : ""],
			[t().work, t().loadOn(h.load.toFixed(2), h.cores), h.load > 1.5 * h.cores ? t().muchWork : ""],
		],
		[t().labs, t().of(h.labs.now, h.labs.limit), full(h.labs)],
		[t().terminals, t().of(h.terminals.now, h.terminals.limit), full(h.terminals)],
		[t().windows, t().of(h.windows.now, h.windows.limit), full(h.windows)],
	];
	const body = $("host").tBodies[0];
	while (body.rows.length > rows.length) body.deleteRow(-1);
	rows.forEach(([what, much, warning], i) => {
		const row = body.rows[i] ?? body.insertRow();
		if (row.cells.length === 0) {
			row.append(Object.assign(document.createElement("th"), { scope: "row" }));
			row.insertCell();
			row.insertCell();
		}
		[what, much, warning ? "⚠ " + warning : "✓"].forEach((text, at) => {
			if (row.cells[at].textContent !== text) row.cells[at].textContent = text;
		});
		row.cells[2].className = warning ? "bad" : "good";
	});
}

async function order(what, more = {}) {
	trouble("");
	$("done").textContent = "";
	try {
		await live.ask(what, { learner: chosen(), ...more });
		$("done").textContent = t().done;
	} catch (e) {
		trouble(e.message);
	}
}

$("words").addEventListener("submit", async e => {
	e.preventDefault();
	await order("say", { text: $("text").value });
	$("text").value = "";
});
$("noise").addEventListener("click", () => order("noise"));
$("pause").addEventListener("click", () => order("pause", { on: !places[chosen()].paused }));
$("hold").addEventListener("click", () => order("hold", { on: !places[chosen()].held }));
$("learner").addEventListener("change", show);
$("language").value = lang();
$("language").addEventListener("change", e => {
	speak(e.target.value);
	translate();
	show();
	if (host) showHost(host);
});

translate();
let live;
if (token() === null) {
	trouble(t().noToken);
} else {
	live = new Live("class", event => { places = event.places; host = event.host; show(); showHost(host); }, lost);
	await live.ready;
	document.body.dataset.ready = "";
}
