// See echo_server.py.
package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

func main() {
	size, _ := strconv.Atoi(os.Args[1])
	text := strings.Repeat("x", size)
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		id, _, _ := strings.Cut(line[strings.Index(line, `"id":`)+5:], ",")
		os.Stdout.WriteString(`{"jsonrpc":"2.0","id":` + id + `,"result":{"content":[{"type":"text","text":"` + text + "\"}]}}\n")
	}
}
