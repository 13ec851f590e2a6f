// What the learner's page and the instructor's share.
import { texts } from "./texts.js";

export const $ = id => document.getElementById(id);
let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
export const lang = () => language;
export const t = () => texts[language];

export function speak(chosen) {
	language = chosen;
	localStorage.setItem("language", chosen);
}

// translate puts the page's own words into the language.
export function translate() {
	document.documentElement.lang = language;
	for (const e of document.querySelectorAll("[data-text]")) e.textContent = t()[e.dataset.text];
}

export function trouble(text) {
	$("trouble").textContent = text;
	$("trouble").hidden = text === "";
}

export function minutes(seconds) {
	const s = Math.max(0, Math.floor(seconds));
	return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

// lost says why a socket has ended.
export const lost = (code, reason) => trouble(reason === "token" ? t().wrongToken : reason || t().gone);
