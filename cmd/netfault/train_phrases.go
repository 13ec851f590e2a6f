package main

import (
	"os"
	"strings"

	"github.com/netfault/netfault/framework/training"
)

// phrase is what exercises are told with in one language.
type phrase struct {
	about, next, alsoAlarm                string // of the alarm
	node, address, pods, service, outside string // of the table of machines
	stopped, stoppedHealed                string
	status, sawSolution, wasHealed        string
	verdicts                              map[training.Verdict]string
	itHappens, hidden, alsoBroken         string // why a network is only lucky
	points                                string
	hintOf, noMoreHints, nothingToSee     string
	costs, costsNothing                   string // of the solution
	notHealed, notHealedYet               string // of the debrief, of the commands and of the page
	hops, hard, incident, prevention      string
	timeLine, notSeen, sessions, writeup  string
	recorded, noTimeLine                  string // of a shell
	list                                  []any  // headings of the list, the last two of the faults
	scores                                []any  // headings of the attempts
	unhealed, seen, total                 string // of attempts
	neverBegan                            string
	learner, instructor                   string // of the page
	open, closed, closedAll               string
}

// phrases are in the words for whoever runs this program: root who came without sudo may have none, as in a container.
var phrases = phrasesFor(os.Geteuid() == 0 && os.Getenv("SUDO_USER") == "")

// phrasesFor returns the phrases, for root without the sudo of the commands that they name.
func phrasesFor(root bool) map[training.Language]phrase {
	all := map[training.Language]phrase{}
	for language, say := range withSudo {
		if root {
			for _, text := range []*string{&say.next, &say.noMoreHints, &say.nothingToSee} {
				*text = strings.ReplaceAll(*text, "`sudo netfault ", "`netfault ")
			}
		}
		all[language] = say
	}
	return all
}

// withSudo are the phrases for an ordinary user, who needs sudo for all that looks into a lab.
var withSudo = map[training.Language]phrase{
	training.English: {
		alsoAlarm: "The pager also has",
		about:     "difficulty %d of 3, about %d minutes, seed %d",
		next: "Log in with `sudo netfault train shell %s`; ask with `sudo netfault train check` whether it is healed.\n" +
			"If you are stuck: `sudo netfault train hint`. If all is lost: `sudo netfault train reset`. To give up: `sudo netfault train stop`.",
		node: "node", address: "address", pods: "its pods", service: "service", outside: "a host outside the cluster",
		stopped:       "%s is over, not healed. `netfault train debrief --give-up` tells what it was.",
		stoppedHealed: "%s is over: %d points. `netfault train debrief` tells what it was.",
		status:        "%s is running for %s, with %d hints.", sawSolution: "The solution was looked at.", wasHealed: "It is healed: %d points.",
		verdicts: map[training.Verdict]string{
			training.Broken: "Still broken. This does not work:",
			training.Lucky:  "Lucky: traffic passes, and what broke it is still there.",
			training.Damage: "Damage: what the pager said is gone, and so is something that was fine.",
			training.Healed: "Healed: traffic passes and goes on passing, what broke it is gone, and nothing else is.",
		},
		itHappens:    "It will come back. We let happen what happens some day: %s. Then this did not work:",
		hidden:       "It is only hidden, and will come back.",
		alsoBroken:   "and %d more",
		points:       "It took %s and %d hints: %d of %d points. `netfault train debrief` tells what it was.",
		hintOf:       "Hint %d of %d (%d points each):",
		noMoreHints:  "There are no more hints. `sudo netfault train solution` shows the solution.",
		nothingToSee: "There is nothing to hint at: what was wrong is not to be seen any more. `sudo netfault train check` judges what is.",
		costs:        "The solution, %d points:",
		costsNothing: "The solution, which costs nothing any more:",
		notHealed:    "the network is not healed: `netfault train check` first, or `netfault train debrief --give-up`, which costs as much as the solution",
		notHealedYet: "the network was not found healed yet: ask whether it is, or give up, which costs as much as the solution",
		hops:         "What happened", hard: "Why it was hard to see", incident: "The real incident", prevention: "Prevention",
		timeLine: "Your time line", notSeen: "not seen", sessions: "Your sessions, for `asciinema play`:", writeup: "The write-up is in scenarios/%s/README.md.",
		recorded:   "This session is recorded: what the terminal shows, and which programs are started. `exit` ends it.",
		noTimeLine: "the debrief will have no time line of this session: %v",
		list:       []any{"exercise", "difficulty", "minutes", "labs (--kind)", "fault", "what it is"},
		scores:     []any{"begun", "exercise", "points", "time", "hints", "solution", "seed"},
		unhealed:   "not healed", seen: "seen", total: "%d points; the attempts are in %s",
		neverBegan: "its start was ended before the alarm went: `netfault train reset` makes it anew, `netfault train stop` ends it",
		learner:    "learner %s:", instructor: "instructor:",
		open:      "Open it in a browser on this machine, with all that follows the #. Ctrl-C ends the page.",
		closed:    "the page is closed; the exercise goes on until `netfault train stop`",
		closedAll: "the page is closed, and every exercise of it is over",
	},
	training.Chinese: {
		alsoAlarm: "告警还有",
		about:     "难度 %d（共 3 级），约 %d 分钟，种子 %d",
		next: "登录：`sudo netfault train shell %s`；判断是否修复：`sudo netfault train check`。\n" +
			"没有头绪：`sudo netfault train hint`；彻底弄坏了：`sudo netfault train reset`；放弃：`sudo netfault train stop`。",
		node: "节点", address: "地址", pods: "它的 Pod", service: "Service", outside: "集群外的一台主机",
		stopped:       "%s 已结束，没有修复。`netfault train debrief --give-up` 说明原委。",
		stoppedHealed: "%s 已结束：%d 分。`netfault train debrief` 说明原委。",
		status:        "%s 已进行 %s，用了 %d 个提示。", sawSolution: "看过答案。", wasHealed: "已修复：%d 分。",
		verdicts: map[training.Verdict]string{
			training.Broken: "仍有故障。以下不通：",
			training.Lucky:  "侥幸：流量是通的，但引起故障的东西还在。",
			training.Damage: "造成了损坏：告警的问题没有了，但原本正常的东西也没有了。",
			training.Healed: "已修复：流量通，并且保持通；引起故障的东西没有了，其它一样不少。",
		},
		itHappens:    "它会再来。我们让一件迟早会发生的事发生了：%s。之后以下不通：",
		hidden:       "它只是被掩盖了，还会再来。",
		alsoBroken:   "另有 %d 项",
		points:       "用时 %s，%d 个提示：%d 分（满分 %d）。`netfault train debrief` 说明原委。",
		hintOf:       "提示 %d / %d（每个扣 %d 分）：",
		noMoreHints:  "没有更多提示了。`sudo netfault train solution` 显示答案。",
		nothingToSee: "没有可提示的：原先的问题已经看不到了。`sudo netfault train check` 判断现在的情况。",
		costs:        "答案，扣 %d 分：",
		costsNothing: "答案，不再扣分：",
		notHealed:    "网络还没有修复：先 `netfault train check`，或者 `netfault train debrief --give-up`，扣分与看答案相同",
		notHealedYet: "网络还没有被确认修复：先问“修好了吗？”，或者放弃，扣分与看答案相同",
		hops:         "发生了什么", hard: "为什么难以发现", incident: "真实的事故", prevention: "预防与监控",
		timeLine: "你的时间线", notSeen: "没有看到", sessions: "你的会话，用 `asciinema play` 回放：", writeup: "完整说明在 scenarios/%s/README.zh.md。",
		recorded:   "本会话会被记录：终端上显示的内容，以及启动了哪些程序。用 `exit` 结束。",
		noTimeLine: "复盘里不会有这次会话的时间线，程序的原话是 `%v`",
		list:       []any{"练习", "难度", "分钟", "环境（--kind）", "故障", "是什么"},
		scores:     []any{"开始", "练习", "得分", "用时", "提示", "答案", "种子"},
		unhealed:   "没有修复", seen: "看过", total: "%d 分；记录在 %s",
		neverBegan: "练习在告警之前就中断了：`netfault train reset` 重新开始，`netfault train stop` 结束",
		learner:    "学员 %s：", instructor: "教员：",
		open:      "请在本机的浏览器里打开，包括 # 后面的全部内容。Ctrl-C 关闭页面。",
		closed:    "页面已关闭；练习会继续，直到 `netfault train stop`",
		closedAll: "页面已关闭，所有练习都结束了",
	},
}
