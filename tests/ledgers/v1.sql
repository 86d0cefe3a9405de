BEGIN TRANSACTION;
CREATE TABLE event(
        seq INTEGER PRIMARY KEY, of INTEGER NOT NULL, kind TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        state TEXT NOT NULL, seconds INTEGER NOT NULL, extra TEXT NOT NULL, chain BLOB NOT NULL);
INSERT INTO "event" VALUES(1,0,'store','0011223344556677',1000,1780000000000,3,'','','','13236328',0,'{"campaign":"water","line":"l1","number":"+919000000001"}',X'117340044B9D127B');
INSERT INTO "event" VALUES(2,0,'call','0011223344556677',1001,1780000000001,3,'water','+919812345678','national','missed',0,'',X'F700145E09EC56CB');
INSERT INTO "event" VALUES(3,0,'message','0011223344556677',1001,1780000000001,3,'water','+919812345678','national','queued',0,'{"direction":"out","language":"en","parts":1,"text":"Thank you"}',X'028D6265FEB2F0AE');
INSERT INTO "event" VALUES(4,3,'message','0011223344556677',1002,1780000000002,3,'','','','sending',0,'',X'3EF0AEF3FB1ABCDE');
INSERT INTO "event" VALUES(5,3,'message','0011223344556677',1003,1780000000003,3,'','','','sent',0,'',X'F75289E35451176E');
INSERT INTO "event" VALUES(6,3,'message','0011223344556677',1004,1780000000004,3,'','','','delivered',0,'',X'D864AA4061DA6CB0');
INSERT INTO "event" VALUES(7,0,'call','0011223344556677',1005,1780000000005,3,'water','','withheld','missed',0,'',X'AB2BFDE2062BC77B');
INSERT INTO "event" VALUES(8,0,'call','0011223344556677',1006,1780000000006,3,'water','+919812345679','national','missed',0,'',X'1F8EAA34C70E76D9');
INSERT INTO "event" VALUES(9,0,'message','0011223344556677',1006,1780000000006,3,'water','+919812345679','national','queued',0,'{"direction":"out","language":"hi","parts":1,"text":"धन्यवाद"}',X'706FBB5CC35F2614');
INSERT INTO "event" VALUES(10,8,'call','0011223344556677',1007,1780000000007,3,'','','','gave-up',0,'',X'81FE9010F54D5DFF');
INSERT INTO "event" VALUES(11,0,'message','0011223344556677',1008,1780000000008,3,'water','+919812345678','national','received',0,'{"direction":"in","text":"STOP"}',X'DB6E6B4832EEE819');
INSERT INTO "event" VALUES(12,0,'optout','0011223344556677',1008,1780000000008,3,'','+919812345678','national','on',0,'',X'8DB20DA7BFE12D88');
INSERT INTO "event" VALUES(13,0,'message','0011223344556677',1009,1780000000009,3,'water','+919812345678','national','received',0,'{"direction":"in","text":"hi"}',X'8FC69101C2927651');
INSERT INTO "event" VALUES(14,0,'language','0011223344556677',1009,1780000000009,3,'','+919812345678','national','hi',0,'',X'F6B1CDB6F6ED78AE');
INSERT INTO "event" VALUES(15,0,'note','0011223344556677',1010,1780000000010,3,'','','','unreadable-sms',0,'{"octets":5}',X'2B67580553E1D540');
INSERT INTO "event" VALUES(16,0,'line','0011223344556677',1011,1780000000011,3,'','','','ready',0,'{"operator":"Vi"}',X'551CCC78B6AD4FB7');
CREATE TABLE language(caller TEXT PRIMARY KEY, language TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "language" VALUES('+919812345678','hi');
CREATE TABLE message(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        direction TEXT NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, parts INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        sent_boot TEXT, sent_mono_ms INTEGER, sent_at_ms INTEGER, sent_clock INTEGER,
        refs TEXT NOT NULL DEFAULT '[]', reported TEXT NOT NULL DEFAULT '[]');
INSERT INTO "message" VALUES(3,'water','+919812345678','national','out','en','Thank you',1,'delivered','','0011223344556677',1001,1780000000001,3,'0011223344556677',1002,1780000000002,3,'[7]','[]');
INSERT INTO "message" VALUES(9,'water','+919812345679','national','out','hi','धन्यवाद',1,'queued','','0011223344556677',1006,1780000000006,3,NULL,NULL,NULL,NULL,'[]','[]');
INSERT INTO "message" VALUES(11,'water','+919812345678','national','in','','STOP',1,'received','','0011223344556677',1008,1780000000008,3,NULL,NULL,NULL,NULL,'[]','[]');
INSERT INTO "message" VALUES(13,'water','+919812345678','national','in','','hi',1,'received','','0011223344556677',1009,1780000000009,3,NULL,NULL,NULL,NULL,'[]','[]');
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('box','box-1');
INSERT INTO "meta" VALUES('line','l1');
INSERT INTO "meta" VALUES('store','13236328');
CREATE TABLE optout(caller TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "optout" VALUES('+919812345678',12);
CREATE TABLE part(
        caller TEXT NOT NULL, reference INTEGER NOT NULL, total INTEGER NOT NULL, place INTEGER NOT NULL,
        text TEXT NOT NULL, units BLOB NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (caller, reference, total, place)) WITHOUT ROWID;
INSERT INTO "part" VALUES('+919812345678',1,2,1,'half',X'',1780000000010);
CREATE TABLE seen(fingerprint BLOB PRIMARY KEY) WITHOUT ROWID;
INSERT INTO "seen" VALUES(X'6666666666666666');
INSERT INTO "seen" VALUES(X'6767676767676767');
INSERT INTO "seen" VALUES(X'6868686868686868');
CREATE TABLE unreadable(pdu TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO "unreadable" VALUES('07910000FF');
CREATE INDEX event_calls ON event(at_ms) WHERE kind = 'call' AND of = 0;
CREATE INDEX message_caller ON message(caller);
CREATE INDEX message_open ON message(state) WHERE state IN ('queued', 'held', 'sending');
CREATE INDEX message_sent ON message(sent_at_ms) WHERE sent_boot IS NOT NULL;
CREATE INDEX message_undated ON message(sent_clock) WHERE sent_clock < 2;
COMMIT;
PRAGMA user_version = 1;
