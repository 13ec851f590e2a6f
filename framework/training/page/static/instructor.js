import { Live, token } from "./connection.js";
import { watch } from "./shell.js";
import { $, lang, lost, minutes, speak, t, translate, trouble } from "./common.js";

let places = [], watched = null;
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
});

translate();
let live;
if (token() === null) {
	trouble(t().noToken);
} else {
	live = new Live("class", event => { places = event.places; show(); }, lost);
	await live.ready;
	document.body.dataset.ready = "";
}
