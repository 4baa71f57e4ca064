package csource_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/cbpf2ebpf/cbpf2ebpf/cbpf"
	"github.com/cbpf2ebpf/cbpf2ebpf/translate/csource"
)

func Example() {
	p, err := cbpf.Parse([]byte("(000) ldh [12]\n(001) jeq #0x800 jt 2 jf 3\n(002) ret #262144\n(003) ret #0\n"))
	if err != nil {
		log.Fatal(err)
	}
	text, err := csource.Translate(p, csource.Options{Form: csource.Packet, Name: "only_ip"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text[strings.Index(text, "uint32_t only_ip"):])
	// Output:
	// uint32_t only_ip(const struct cbpf_packet *pkt)
	// {
	// 	const uint8_t *data = pkt->data;
	// 	uint32_t a;
	//
	// 	/* (000) ldh [12] */
	// 	if (pkt->caplen < 14)
	// 		return 0;
	// 	a = cbpf_u16(data + 12);
	// 	/* (001) jeq #0x800 jt 2 jf 3 */
	// 	if (a != 0x800)
	// 		return 0; /* (003) ret #0 */
	// 	/* (002) ret #262144 */
	// 	return 262144;
	// }
}
