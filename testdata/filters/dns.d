(000) ldh      [12]
(001) jeq      #0x86dd          jt 15	jf 2
(002) jeq      #0x800           jt 3	jf 15
(003) ldb      [23]
(004) jeq      #0x11            jt 5	jf 15
(005) ldh      [20]
(006) jset     #0x1fff          jt 15	jf 7
(007) ldxb     4*([14]&0xf)
(008) ldh      [x + 14]
(009) jeq      #0x35            jt 12	jf 10
(010) ldh      [x + 16]
(011) jeq      #0x35            jt 12	jf 15
(012) ldb      [x + 24]
(013) jset     #0x80            jt 15	jf 14
(014) ret      #262144
(015) ret      #0
