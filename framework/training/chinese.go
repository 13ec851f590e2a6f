package training

import (
	"regexp"
	"strings"
)

// Why is a reason that a lab or its probes give, in each language.
func Why(said string) Told { return told(said, inChinese(said)) }

// chinese are what the lab, its probes and the kernel say, and how that reads in Chinese. Names and values stand in both as they are.
var chinese = []translation{
	// Why a probe fails: framework/agent and framework/probe, and the C library's texts of errors, as Go has them.
	reads(`timeout|i/o timeout|connection timed out|context deadline exceeded`, `超时`),
	reads(`connection refused`, `连接被拒绝`),
	reads(`connection reset by peer`, `连接被重置`),
	reads(`no route to host`, `没有到主机的路由`),
	reads(`network is unreachable`, `网络不可达`),
	reads(`network is down`, `网络没有启用`),
	reads(`host is down`, `主机没有启用`),
	reads(`operation not permitted`, `操作不被允许`),
	reads(`permission denied`, `没有权限`),
	reads(`invalid argument`, `参数无效`),
	reads(`no such device`, `没有这个接口`),
	reads(`cannot assign requested address`, `没有这个本机地址`),
	reads(`EOF|unexpected EOF|broken pipe`, `连接断开`),
	reads(`ended by (SIG\w+)`, `被 $1 中断`),
	reads(`not tried`, `没有尝试`),
	reads(`answer: (.+)`, `应答有误：$1`),
	reads(`(\S+) sees (\S+), not (\S+)`, `$1 看到的来源是 $2，而不是 $3`),
	reads(`(\S+) answered, not (\S+)`, `应答的是 $1，而不是 $2`),
	reads(`(\S+) says more than its answer`, `$1 的应答后面还有多余的内容`),
	reads(`DNS answers ("\S*"), not (\S+)`, `DNS 的应答是 $1，而不是 $2`),
	reads(`DNS answers (\S+)`, `DNS 的应答是 $1`),
	// What does not run: the labs' Broken.
	reads(`no probe server (?:in|on) (\S+)`, `$1 里没有应答请求的服务`),
	reads(`no (etcd|CoreDNS|dockerd) (?:in|on) (\S+)`, `$2 上没有 $1`),
	// What is there: package undo's Gone, and ways.
	reads(`(\S+): process (.+)`, "$1：进程 `$2`"),
	reads(`(\S+): options (.+)`, "$1：参数文件 `$2`"),
	reads(`(\S+): iptables (.+)`, "$1：iptables 规则 `$2`"),
	reads(`(\S+): link (.+)`, `$1：接口 $2`),
	reads(`(\S+): address (.+)`, `$1：地址 $2`),
	reads(`(\S+): route (.+)`, "$1：路由 `$2`"),
	reads(`(\S+): neighbour (.+)`, "$1：邻居表项 `$2`"),
	reads(`(\S+): fdb (.+)`, "$1：FDB 表项 `$2`"),
	reads(`(\S+): rule (.+)`, "$1：策略路由规则 `$2`"),
	reads(`(\S+): qdisc (.+)`, "$1：队列规则 `$2`"),
	reads(`(\S+): filter (.+)`, "$1：过滤器 `$2`"),
	reads(`flanneld on (\S+)`, `$1 上的 flanneld`),
	reads(`lease of (\S+) for (\S+)`, `$1 的租约 $2`),
	reads(`link (.+)`, `接口 $1`),
	reads(`route (.+)`, "路由 `$1`"),
	reads(`policy rule (.+)`, "策略路由规则 `$1`"),
	// A scenario's own traffic: what leads where, and why it fails.
	reads(`(.+), for the MySQL server: (.+)`, `$1（MySQL 服务器）：$2`),
	reads(`(.+ → [^:]+(?::\d+)?): (.+)`, `$1：$2`),
}

// translation is of a whole line.
type translation struct {
	said  *regexp.Regexp
	reads string
}

func reads(said, chinese string) translation {
	return translation{regexp.MustCompile(`^(?s:` + said + `)$`), chinese}
}

// inChinese is a line in Chinese. Of what is not known, it says whose words they are.
func inChinese(said string) string {
	for _, c := range chinese {
		if !c.said.MatchString(said) {
			continue
		}
		reads := c.said.ReplaceAllString(said, c.reads)
		// The reason of a path stands at its end, and is a line of its own.
		if before, why, ok := strings.Cut(reads, "："); ok && strings.Contains(said, " → ") {
			return before + "：" + inChinese(why)
		}
		return reads
	}
	return "程序的原话是 `" + said + "`"
}
