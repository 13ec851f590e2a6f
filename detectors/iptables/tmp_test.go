package iptables
import ("testing";"fmt";"time")
func TestHeavy(t *testing.T) {
	for _, n := range []int{100, 300, 1000, 3000} {
	for name, f := range map[string]func(i int) string{
		"masq": func(i int) string { return fmt.Sprintf("POSTROUTING -s 10.244.1.%d/32 -p tcp -m tcp --dport %d -m statistic --mode random -j MASQUERADE", i%256, i) },
		"drop": func(i int) string { return fmt.Sprintf("POSTROUTING -p tcp -m tcp --dport %d:%d -m statistic --mode random -j ACCEPT", i, i+100) },
		"mark": func(i int) string { return fmt.Sprintf("POSTROUTING -p tcp -m tcp --dport %d:%d -m statistic --mode random -j MARK --set-xmark %d", i, i+100, i) },
		"xmark": func(i int) string { return fmt.Sprintf("POSTROUTING -p tcp -m statistic --mode random -j MARK --set-xmark %d/%d", 1<<(i%32), 1<<(i%32)) },
		"part": func(i int) string { return fmt.Sprintf("POSTROUTING -s 10.244.1.%d/32 -d 10.244.2.%d/32 -p tcp -m tcp --dport %d -j MARK --set-xmark %d", i%256, i%199, i, i) },
		"ret": func(i int) string { return fmt.Sprintf("POSTROUTING -s 10.244.1.%d/32 -d 10.244.2.%d/32 -p tcp -m tcp --dport %d -j RETURN", i%256, i%199, i) },
	} {
		rules := []string{"*nat"}
		for i := 0; i < n; i++ { rules = append(rules, f(i)) }
		rules = append(rules, "POSTROUTING -j MASQUERADE")
		r := mustParse(t, NFT, ruleSet(rules...))
		start := time.Now()
		o := Evaluate(podToPod(), r)
		fmt.Println(name, n, len(o), time.Since(start), o[0].Verdict, o[len(o)-1].Verdict)
	}}
}
