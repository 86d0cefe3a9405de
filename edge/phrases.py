"""The words that every conversation has, whatever its campaign: numbers, keys, "speak after the beep", "thank you".

Each phrase is a clip with a fixed name; a campaign may say it in its own words ([menu.phrase.<name>]) or in its own
voice (a recording of that name). The wording is short and slow to hear, polite, and fits a woman's and a man's voice
alike. Where a key is named, what it does comes first and the key last: who waits for her option need not remember.
Each language wants the ear of a native speaker before a campaign relies on it. A language that is not here falls back,
as any missing clip does; nothing here reads a file.
"""

from __future__ import annotations

from edge.dialogue import Clip

SPELL_PAUSE_MS = 200  # before each digit of a reference: time to write it down
_DIGITS = {
    "hi": "शून्य एक दो तीन चार पाँच छह सात आठ नौ",
    "en": "zero one two three four five six seven eight nine",
    "mr": "शून्य एक दोन तीन चार पाच सहा सात आठ नऊ",
    "bn": "শূন্য এক দুই তিন চার পাঁচ ছয় সাত আট নয়",
    "ta": "பூஜ்ஜியம் ஒன்று இரண்டு மூன்று நான்கு ஐந்து ஆறு ஏழு எட்டு ஒன்பது",
    "te": "సున్నా ఒకటి రెండు మూడు నాలుగు ఐదు ఆరు ఏడు ఎనిమిది తొమ్మిది",
    "gu": "શૂન્ય એક બે ત્રણ ચાર પાંચ છ સાત આઠ નવ",
    "kn": "ಸೊನ್ನೆ ಒಂದು ಎರಡು ಮೂರು ನಾಲ್ಕು ಐದು ಆರು ಏಳು ಎಂಟು ಒಂಬತ್ತು",
}
_PRESS = {  # how to ask for a key, the key's name where the braces are
    "hi": "{} दबाइए",
    "en": "press {}",
    "mr": "{} दाबा",
    "bn": "{} টিপুন",
    "ta": "{} அழுத்தவும்",
    "te": "{} నొక్కండి",
    "gu": "{} દબાવો",
    "kn": "{} ಒತ್ತಿ",
}
# Tamil presses a number in the accusative
_KEYS = _DIGITS | {"ta": "பூஜ்ஜியத்தை ஒன்றை இரண்டை மூன்றை நான்கை ஐந்தை ஆறை ஏழை எட்டை ஒன்பதை"}

_PHRASES = {
    "en": {
        "language": "For English",
        "again": "Please listen again.",
        "invalid": "That key does nothing here.",
        "menu-help": "To hear it again, press zero. To go back, press star. To stop all messages, press nine.",
        "after-beep": "Speak after the beep. When you have finished, press hash, or just wait.",
        "recorded": "What you said is recorded.",
        "reference": "The number of your complaint is",
        "case-new": "We have your complaint. It will soon be given to somebody.",
        "case-assigned": "Your complaint is with one of our workers.",
        "case-contacted": "You have been spoken to about your complaint. Work on it goes on.",
        "case-resolved": "We are told that your complaint is solved. If it is solved, press one. If not, press two.",
        "case-reopened": "Your complaint is open again.",
        "noted": "Your answer is noted.",
        "closed": "No answers are taken on this question now.",
        "consent-ask": "If you agree, press one. If not, press two.",
        "no-room": "We cannot record just now. Please call again a little later.",
        "opted-out": "All right. You will get no more calls or messages from us.",
        "identity": "This is a recorded call. To stop such calls, press nine.",
        "time-up": "The time is over.",
        "thanks": "Thank you.",
        "goodbye": "Goodbye.",
    },
    "hi": {
        "language": "हिंदी के लिए",
        "again": "कृपया फिर से सुनिए।",
        "invalid": "यह बटन यहाँ काम नहीं करता।",
        "menu-help": "फिर से सुनने के लिए शून्य, पीछे जाने के लिए स्टार, और सारे संदेश बंद करने के लिए नौ दबाइए।",
        "after-beep": "बीप के बाद बोलिए। बात पूरी होने पर हैश दबाइए, या थोड़ा रुकिए।",
        "recorded": "आपकी बात दर्ज हो गई है।",
        "reference": "आपकी शिकायत का नंबर है",
        "case-new": "आपकी शिकायत मिल गई है। यह जल्दी ही किसी को सौंपी जाएगी।",
        "case-assigned": "आपकी शिकायत एक कार्यकर्ता को सौंपी गई है।",
        "case-contacted": "आपकी शिकायत पर आपसे बात हो चुकी है। काम चल रहा है।",
        "case-resolved": "हमें बताया गया है कि आपकी शिकायत दूर हो गई है। दूर हो गई हो, तो एक दबाइए। नहीं हुई हो, तो दो दबाइए।",
        "case-reopened": "आपकी शिकायत फिर से खोल दी गई है।",
        "noted": "आपका जवाब दर्ज हो गया है।",
        "closed": "इस सवाल पर अभी जवाब नहीं लिए जा रहे हैं।",
        "consent-ask": "आप सहमत हों, तो एक दबाइए। नहीं, तो दो दबाइए।",
        "no-room": "अभी आपकी आवाज़ दर्ज नहीं हो सकती। कृपया थोड़ी देर बाद फिर फ़ोन कीजिए।",
        "opted-out": "ठीक है। अब हमारी ओर से आपको कोई फ़ोन या संदेश नहीं आएगा।",
        "identity": "यह दर्ज की हुई आवाज़ है। ऐसे फ़ोन बंद करने के लिए नौ दबाइए।",
        "time-up": "समय पूरा हो गया है।",
        "thanks": "धन्यवाद।",
        "goodbye": "नमस्ते।",
    },
    "mr": {
        "language": "मराठीसाठी",
        "again": "कृपया पुन्हा ऐका.",
        "invalid": "हे बटण इथे चालत नाही.",
        "menu-help": "पुन्हा ऐकण्यासाठी शून्य, मागे जाण्यासाठी स्टार, आणि सर्व संदेश बंद करण्यासाठी नऊ दाबा.",
        "after-beep": "बीप नंतर बोला. बोलून झाल्यावर हॅश दाबा, किंवा थोडे थांबा.",
        "recorded": "तुमचे म्हणणे नोंदवले आहे.",
        "reference": "तुमच्या तक्रारीचा क्रमांक आहे",
        "case-new": "तुमची तक्रार मिळाली आहे. ती लवकरच कोणाकडे तरी सोपवली जाईल.",
        "case-assigned": "तुमची तक्रार एका कार्यकर्त्याकडे सोपवली आहे.",
        "case-contacted": "तुमच्या तक्रारीबद्दल तुमच्याशी बोलणे झाले आहे. काम सुरू आहे.",
        "case-resolved": "तुमची तक्रार दूर झाली असे आम्हाला कळले आहे. दूर झाली असेल, तर एक दाबा. नसेल, तर दोन दाबा.",
        "case-reopened": "तुमची तक्रार पुन्हा उघडली आहे.",
        "noted": "तुमचे उत्तर नोंदवले आहे.",
        "closed": "या प्रश्नावर सध्या उत्तरे घेतली जात नाहीत.",
        "consent-ask": "तुमची संमती असेल, तर एक दाबा. नसेल, तर दोन दाबा.",
        "no-room": "आत्ता तुमचा आवाज नोंदवता येत नाही. कृपया थोड्या वेळाने पुन्हा फोन करा.",
        "opted-out": "ठीक आहे. यापुढे आमच्याकडून तुम्हाला फोन किंवा संदेश येणार नाहीत.",
        "identity": "हा नोंदवलेला आवाज आहे. असे फोन बंद करण्यासाठी नऊ दाबा.",
        "time-up": "वेळ संपली आहे.",
        "thanks": "धन्यवाद.",
        "goodbye": "नमस्कार.",
    },
    "bn": {
        "language": "বাংলার জন্য",
        "again": "দয়া করে আবার শুনুন।",
        "invalid": "এই বোতাম এখানে কাজ করে না।",
        "menu-help": "আবার শুনতে শূন্য, ফিরে যেতে স্টার, আর সব বার্তা বন্ধ করতে নয় টিপুন।",
        "after-beep": "বিপ শব্দের পরে বলুন। বলা হয়ে গেলে হ্যাশ টিপুন, অথবা একটু অপেক্ষা করুন।",
        "recorded": "আপনার কথা রেকর্ড করা হয়েছে।",
        "reference": "আপনার অভিযোগের নম্বর হল",
        "case-new": "আপনার অভিযোগ পাওয়া গেছে। শীঘ্রই একজনকে দায়িত্ব দেওয়া হবে।",
        "case-assigned": "আপনার অভিযোগের দায়িত্ব একজন কর্মীকে দেওয়া হয়েছে।",
        "case-contacted": "আপনার অভিযোগ নিয়ে আপনার সঙ্গে কথা হয়েছে। কাজ চলছে।",
        "case-resolved": "আমরা জেনেছি, আপনার অভিযোগের সমাধান হয়েছে। সমাধান হয়ে থাকলে এক টিপুন। না হলে দুই টিপুন।",
        "case-reopened": "আপনার অভিযোগ আবার খোলা হয়েছে।",
        "noted": "আপনার উত্তর নেওয়া হয়েছে।",
        "closed": "এই প্রশ্নে এখন উত্তর নেওয়া হচ্ছে না।",
        "consent-ask": "আপনি রাজি থাকলে এক টিপুন। না থাকলে দুই টিপুন।",
        "no-room": "এখন রেকর্ড করা যাচ্ছে না। দয়া করে একটু পরে আবার ফোন করুন।",
        "opted-out": "ঠিক আছে। আমাদের কাছ থেকে আপনার কাছে আর কোনো ফোন বা বার্তা আসবে না।",
        "identity": "এটি রেকর্ড করা ফোন। এমন ফোন বন্ধ করতে নয় টিপুন।",
        "time-up": "সময় শেষ হয়েছে।",
        "thanks": "ধন্যবাদ।",
        "goodbye": "নমস্কার।",
    },
    "ta": {
        "language": "தமிழுக்கு",
        "again": "தயவுசெய்து மீண்டும் கேளுங்கள்.",
        "invalid": "இந்தப் பொத்தானுக்கு இங்கே பயன் இல்லை.",
        "menu-help": "மீண்டும் கேட்க பூஜ்ஜியத்தை, திரும்பிச் செல்ல ஸ்டாரை, எல்லாச் செய்திகளையும் நிறுத்த ஒன்பதை அழுத்தவும்.",
        "after-beep": "பீப் ஒலிக்குப் பிறகு பேசுங்கள். பேசி முடித்ததும் ஹாஷை அழுத்தவும், அல்லது சற்றுக் காத்திருங்கள்.",
        "recorded": "நீங்கள் சொன்னது பதிவாகிவிட்டது.",
        "reference": "உங்கள் புகாரின் எண்",
        "case-new": "உங்கள் புகார் கிடைத்தது. அது விரைவில் ஒருவரிடம் ஒப்படைக்கப்படும்.",
        "case-assigned": "உங்கள் புகார் ஒரு பணியாளரிடம் ஒப்படைக்கப்பட்டுள்ளது.",
        "case-contacted": "உங்கள் புகார் பற்றி உங்களிடம் பேசப்பட்டுள்ளது. வேலை நடந்து வருகிறது.",
        "case-resolved": "உங்கள் புகார் தீர்ந்ததாக அறிகிறோம். தீர்ந்திருந்தால் ஒன்றை அழுத்தவும். இல்லையென்றால் இரண்டை அழுத்தவும்.",
        "case-reopened": "உங்கள் புகார் மீண்டும் திறக்கப்பட்டுள்ளது.",
        "noted": "உங்கள் பதில் பதிவாகிவிட்டது.",
        "closed": "இந்தக் கேள்விக்கு இப்போது பதில்கள் ஏற்கப்படுவதில்லை.",
        "consent-ask": "சம்மதம் என்றால் ஒன்றை அழுத்தவும். இல்லையென்றால் இரண்டை அழுத்தவும்.",
        "no-room": "இப்போது பதிவு செய்ய முடியவில்லை. சிறிது நேரம் கழித்து மீண்டும் அழையுங்கள்.",
        "opted-out": "சரி. இனி எங்களிடமிருந்து உங்களுக்கு அழைப்போ செய்தியோ வராது.",
        "identity": "இது பதிவு செய்யப்பட்ட அழைப்பு. இத்தகைய அழைப்புகளை நிறுத்த ஒன்பதை அழுத்தவும்.",
        "time-up": "நேரம் முடிந்துவிட்டது.",
        "thanks": "நன்றி.",
        "goodbye": "வணக்கம்.",
    },
    "te": {
        "language": "తెలుగు కోసం",
        "again": "దయచేసి మళ్ళీ వినండి.",
        "invalid": "ఈ బటన్ ఇక్కడ పనిచేయదు.",
        "menu-help": "మళ్ళీ వినడానికి సున్నా, వెనక్కి వెళ్ళడానికి స్టార్, అన్ని సందేశాలు ఆపడానికి తొమ్మిది నొక్కండి.",
        "after-beep": "బీప్ తర్వాత మాట్లాడండి. మాట్లాడడం అయ్యాక హాష్ నొక్కండి, లేదా కొంచెం ఆగండి.",
        "recorded": "మీ మాట రికార్డు అయింది.",
        "reference": "మీ ఫిర్యాదు నంబరు",
        "case-new": "మీ ఫిర్యాదు అందింది. త్వరలో ఒకరికి అప్పగించబడుతుంది.",
        "case-assigned": "మీ ఫిర్యాదు ఒక కార్యకర్తకు అప్పగించబడింది.",
        "case-contacted": "మీ ఫిర్యాదు గురించి మీతో మాట్లాడడం జరిగింది. పని జరుగుతోంది.",
        "case-resolved": "మీ ఫిర్యాదు పరిష్కారమైందని మాకు తెలిసింది. పరిష్కారమైతే ఒకటి నొక్కండి. కాకపోతే రెండు నొక్కండి.",
        "case-reopened": "మీ ఫిర్యాదు మళ్ళీ తెరవబడింది.",
        "noted": "మీ జవాబు నమోదైంది.",
        "closed": "ఈ ప్రశ్నకు ఇప్పుడు జవాబులు తీసుకోవడం లేదు.",
        "consent-ask": "మీరు ఒప్పుకుంటే ఒకటి నొక్కండి. లేకపోతే రెండు నొక్కండి.",
        "no-room": "ఇప్పుడు రికార్డు చేయలేకపోతున్నాము. దయచేసి కాసేపటి తర్వాత మళ్ళీ ఫోన్ చేయండి.",
        "opted-out": "సరే. ఇకపై మా నుంచి మీకు ఫోన్లు గానీ సందేశాలు గానీ రావు.",
        "identity": "ఇది రికార్డు చేసిన ఫోన్. ఇలాంటి ఫోన్లు ఆపడానికి తొమ్మిది నొక్కండి.",
        "time-up": "సమయం అయిపోయింది.",
        "thanks": "ధన్యవాదాలు.",
        "goodbye": "నమస్కారం.",
    },
    "gu": {
        "language": "ગુજરાતી માટે",
        "again": "મહેરબાની કરીને ફરીથી સાંભળો.",
        "invalid": "આ બટન અહીં કામ કરતું નથી.",
        "menu-help": "ફરીથી સાંભળવા માટે શૂન્ય, પાછા જવા માટે સ્ટાર, અને બધા સંદેશ બંધ કરવા માટે નવ દબાવો.",
        "after-beep": "બીપ પછી બોલો. વાત પૂરી થાય ત્યારે હેશ દબાવો, અથવા થોડી રાહ જુઓ.",
        "recorded": "તમારી વાત નોંધાઈ ગઈ છે.",
        "reference": "તમારી ફરિયાદનો નંબર છે",
        "case-new": "તમારી ફરિયાદ મળી છે. તે જલદી કોઈને સોંપવામાં આવશે.",
        "case-assigned": "તમારી ફરિયાદ એક કાર્યકરને સોંપવામાં આવી છે.",
        "case-contacted": "તમારી ફરિયાદ વિશે તમારી સાથે વાત થઈ છે. કામ ચાલુ છે.",
        "case-resolved": "અમને જાણ થઈ છે કે તમારી ફરિયાદ દૂર થઈ છે. દૂર થઈ હોય, તો એક દબાવો. ન થઈ હોય, તો બે દબાવો.",
        "case-reopened": "તમારી ફરિયાદ ફરીથી ખોલવામાં આવી છે.",
        "noted": "તમારો જવાબ નોંધાઈ ગયો છે.",
        "closed": "આ સવાલ પર હમણાં જવાબ લેવાતા નથી.",
        "consent-ask": "તમે સંમત હો, તો એક દબાવો. ન હો, તો બે દબાવો.",
        "no-room": "હમણાં તમારો અવાજ નોંધી શકાતો નથી. થોડી વાર પછી ફરીથી ફોન કરો.",
        "opted-out": "ભલે. હવે અમારા તરફથી તમને કોઈ ફોન કે સંદેશ નહીં આવે.",
        "identity": "આ રેકોર્ડ કરેલો ફોન છે. આવા ફોન બંધ કરવા માટે નવ દબાવો.",
        "time-up": "સમય પૂરો થયો છે.",
        "thanks": "આભાર.",
        "goodbye": "નમસ્તે.",
    },
    "kn": {
        "language": "ಕನ್ನಡಕ್ಕಾಗಿ",
        "again": "ದಯವಿಟ್ಟು ಮತ್ತೆ ಕೇಳಿ.",
        "invalid": "ಈ ಬಟನ್ ಇಲ್ಲಿ ಕೆಲಸ ಮಾಡುವುದಿಲ್ಲ.",
        "menu-help": "ಮತ್ತೆ ಕೇಳಲು ಸೊನ್ನೆ, ಹಿಂದೆ ಹೋಗಲು ಸ್ಟಾರ್, ಎಲ್ಲಾ ಸಂದೇಶಗಳನ್ನು ನಿಲ್ಲಿಸಲು ಒಂಬತ್ತು ಒತ್ತಿ.",
        "after-beep": "ಬೀಪ್ ಆದ ಮೇಲೆ ಮಾತನಾಡಿ. ಮಾತು ಮುಗಿದ ಮೇಲೆ ಹ್ಯಾಶ್ ಒತ್ತಿ, ಅಥವಾ ಸ್ವಲ್ಪ ಕಾಯಿರಿ.",
        "recorded": "ನಿಮ್ಮ ಮಾತು ರೆಕಾರ್ಡ್ ಆಗಿದೆ.",
        "reference": "ನಿಮ್ಮ ದೂರಿನ ಸಂಖ್ಯೆ",
        "case-new": "ನಿಮ್ಮ ದೂರು ತಲುಪಿದೆ. ಅದನ್ನು ಬೇಗನೆ ಒಬ್ಬರಿಗೆ ವಹಿಸಲಾಗುವುದು.",
        "case-assigned": "ನಿಮ್ಮ ದೂರನ್ನು ಒಬ್ಬ ಕಾರ್ಯಕರ್ತರಿಗೆ ವಹಿಸಲಾಗಿದೆ.",
        "case-contacted": "ನಿಮ್ಮ ದೂರಿನ ಬಗ್ಗೆ ನಿಮ್ಮೊಂದಿಗೆ ಮಾತನಾಡಲಾಗಿದೆ. ಕೆಲಸ ನಡೆಯುತ್ತಿದೆ.",
        "case-resolved": "ನಿಮ್ಮ ದೂರು ಪರಿಹಾರವಾಗಿದೆ ಎಂದು ತಿಳಿದಿದೆ. ಪರಿಹಾರವಾಗಿದ್ದರೆ ಒಂದು ಒತ್ತಿ. ಇಲ್ಲದಿದ್ದರೆ ಎರಡು ಒತ್ತಿ.",
        "case-reopened": "ನಿಮ್ಮ ದೂರನ್ನು ಮತ್ತೆ ತೆರೆಯಲಾಗಿದೆ.",
        "noted": "ನಿಮ್ಮ ಉತ್ತರ ದಾಖಲಾಗಿದೆ.",
        "closed": "ಈ ಪ್ರಶ್ನೆಗೆ ಈಗ ಉತ್ತರ ತೆಗೆದುಕೊಳ್ಳುತ್ತಿಲ್ಲ.",
        "consent-ask": "ನಿಮಗೆ ಒಪ್ಪಿಗೆ ಇದ್ದರೆ ಒಂದು ಒತ್ತಿ. ಇಲ್ಲದಿದ್ದರೆ ಎರಡು ಒತ್ತಿ.",
        "no-room": "ಈಗ ರೆಕಾರ್ಡ್ ಮಾಡಲು ಆಗುತ್ತಿಲ್ಲ. ದಯವಿಟ್ಟು ಸ್ವಲ್ಪ ಸಮಯದ ನಂತರ ಮತ್ತೆ ಕರೆ ಮಾಡಿ.",
        "opted-out": "ಸರಿ. ಇನ್ನು ಮುಂದೆ ನಮ್ಮಿಂದ ನಿಮಗೆ ಕರೆ ಅಥವಾ ಸಂದೇಶ ಬರುವುದಿಲ್ಲ.",
        "identity": "ಇದು ರೆಕಾರ್ಡ್ ಮಾಡಿದ ಕರೆ. ಇಂತಹ ಕರೆಗಳನ್ನು ನಿಲ್ಲಿಸಲು ಒಂಬತ್ತು ಒತ್ತಿ.",
        "time-up": "ಸಮಯ ಮುಗಿದಿದೆ.",
        "thanks": "ಧನ್ಯವಾದಗಳು.",
        "goodbye": "ನಮಸ್ಕಾರ.",
    },
}

LANGUAGES = tuple(_PHRASES)  # those that have words here
NAMES = (  # of every phrase; `language-<code>` comes on top, one for each language of a campaign
    *(f"press-{key}" for key in "12345678"),  # 0, 9 and * are told by `menu-help`
    *(f"digit-{digit}" for digit in "0123456789"),
    *(name for name in _PHRASES["en"] if name != "language"),
)


def family(language: str) -> str:
    """The language that a code belongs to: "hi" of "hi-IN"."""
    return language.partition("-")[0]


def text(name: str, language: str) -> str:
    """What a phrase says in a language; "" when the language has no words here, or no phrase has that name."""
    code = family(language)
    if code not in _PHRASES:
        return ""
    kind, _, rest = name.partition("-")
    if kind == "language":
        return _PHRASES[code]["language"] if rest == language else ""
    if kind in ("press", "digit") and len(rest) == 1 and rest in "0123456789":
        words = (_KEYS if kind == "press" else _DIGITS)[code].split()
        return _PRESS[code].format(words[int(rest)]) if kind == "press" else words[int(rest)]
    return _PHRASES[code].get(name, "")


def spell(reference: str, language: str) -> tuple[Clip, ...]:
    """A reference digit by digit, with time to write it down."""
    return tuple(Clip(f"digit-{digit}", language, SPELL_PAUSE_MS) for digit in reference if digit in "0123456789")


def press(key: str, language: str, pause_ms: int = 0) -> Clip:
    """The clip that asks for a key, 1 to 8."""
    return Clip(f"press-{key}", language, pause_ms)
