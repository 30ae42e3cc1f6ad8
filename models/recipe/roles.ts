/** A company's line of business, which decides its name. */
export type Field =
  | "software"
  | "design"
  | "office"
  | "health"
  | "food"
  | "logistics"
  | "education"
  | "factory"
  | "shop"
  | "building";

export interface Role {
  name: string;
  /** Other names under which people ask for it. */
  aliases: readonly string[];
  field: Field;
  skills: readonly string[];
  duties: readonly string[];
  /** Yearly pay in units of 10,000 won, or hourly pay in won. */
  pay: { per: "year" | "hour"; from: number; to: number };
  remote: boolean;
}

/**
 * One line for each role: name | aliases | field | skills | duties | pay. Lists use commas. Pay is `y` or `h` (per year
 * or hour), from-to, then `r` if the job can be done from home.
 */
const TABLE = `
백엔드 개발자|백엔드,백엔드 개발,서버 개발자|software|Java,Kotlin,Spring,MySQL,Redis,Kafka|결제 API 설계와 운영,주문 서버 개발,회원 서비스 API 개발,대용량 트래픽 처리|y4200-7600r
프론트엔드 개발자|프론트엔드,프론트 개발자,프론트엔드 개발|software|JavaScript,TypeScript,React,Vue.js,CSS,HTML|서비스 웹 화면 개발,공통 컴포넌트 제작,웹 성능 개선,관리자 화면 개발|y4000-7200r
React 개발자|리액트 개발자,react 개발자,React|software|React,TypeScript,Next.js,JavaScript,CSS,HTML|쇼핑몰 화면 개발,예약 서비스 화면 개발,디자인 시스템 구축,모바일 웹 개발|y4100-7300r
Java 개발자|자바 개발자,java 개발자|software|Java,Spring,MySQL,PostgreSQL,Redis,Linux|사내 시스템 개발,정산 시스템 개발,배치 프로그램 운영,공공 포털 개발|y4000-7000r
Python 개발자|파이썬 개발자,python 개발자|software|Python,PostgreSQL,Redis,Docker,AWS,Linux|데이터 수집기 개발,추천 API 개발,업무 자동화 도구 개발,내부 도구 운영|y4000-7200r
Node.js 개발자|노드 개발자,Node 개발자|software|Node.js,TypeScript,JavaScript,PostgreSQL,Redis,AWS|실시간 채팅 서버 개발,알림 서버 개발,외부 연동 API 개발,웹 서버 운영|y4000-7100r
풀스택 개발자|풀스택,풀스택 개발|software|TypeScript,React,Node.js,PostgreSQL,Docker,AWS|신규 서비스 개발,사내 플랫폼 구축,화면과 서버 함께 개발,시제품 제작|y4300-7700r
안드로이드 개발자|안드로이드,안드로이드 앱 개발자|software|Kotlin,Java,Jetpack,Figma,Jira,SQL|배달 앱 개발,앱 화면 개편,앱 결제 기능 개발,앱 안정성 개선|y4200-7300r
iOS 개발자|아이폰 개발자,ios 개발자|software|Swift,SwiftUI,Figma,Jira,SQL,Python|건강 관리 앱 개발,앱 위젯 개발,앱 구독 기능 개발,앱 화면 개편|y4300-7500r
게임 개발자|게임 개발,게임 프로그래머|software|Unity,C#,C++,Python,Jira,Linux|모바일 게임 개발,게임 서버 개발,전투 시스템 개발,게임 도구 제작|y4000-7500r
데이터 분석가|데이터 분석,데이터분석가|software|SQL,Python,Tableau,Excel,GA4,Airflow|구매 지표 분석,실험 설계와 분석,대시보드 제작,고객 이탈 분석|y4000-7000r
데이터 엔지니어|데이터 엔지니어링|software|Python,SQL,Spark,Airflow,Kafka,AWS|데이터 파이프라인 구축,데이터 웨어하우스 운영,로그 수집 체계 구축,데이터 품질 관리|y4500-8000r
머신러닝 엔지니어|머신러닝,ML 엔지니어,AI 엔지니어|software|Python,PyTorch,SQL,Docker,Kubernetes,Spark|추천 모델 개발,문서 분류 모델 개발,모델 서빙 구축,수요 예측 모델 개발|y5000-9000r
데브옵스 엔지니어|데브옵스,DevOps 엔지니어|software|AWS,Docker,Kubernetes,Terraform,Linux,Python|배포 자동화 구축,클라우드 비용 관리,모니터링 체계 운영,장애 대응|y4800-8500r
보안 엔지니어|보안 담당자,정보보안 담당자|software|Linux,Python,AWS,SQL,Docker,Terraform|침해 사고 대응,보안 점검 자동화,접근 권한 관리,취약점 진단|y4500-8000r
QA 엔지니어|QA,품질 테스트 담당자|software|Selenium,Python,Jira,SQL,Java,Linux|앱 기능 검증,테스트 자동화,출시 전 점검,결함 관리|y3600-6200r
임베디드 개발자|임베디드,펌웨어 개발자|factory|C++,Linux,Python,Verilog,PLC,회로 이해|센서 펌웨어 개발,로봇 제어기 개발,통신 모듈 개발,장비 드라이버 개발|y4000-7200
시스템 관리자|서버 관리자,시스템 엔지니어|software|Linux,AWS,Docker,Python,SQL,네트워크 지식|사내 서버 운영,백업 관리,네트워크 점검,계정 관리|y3600-6000
서비스 기획자|기획자,서비스 기획|office|Figma,SQL,Excel,Jira,문서 작성,GA4|신규 기능 기획,화면 설계서 작성,사용자 조사,서비스 정책 수립|y3600-6200r
프로덕트 매니저|PM,프로덕트매니저|office|SQL,Jira,Figma,GA4,Excel,문서 작성|제품 로드맵 관리,출시 일정 조율,지표 개선 과제 운영,고객 요구 정리|y4500-8000r
UX 디자이너|UX,UI 디자이너,UX/UI 디자이너|design|Figma,Photoshop,Illustrator,HTML,CSS,사용자 조사|앱 화면 설계,사용성 시험 진행,디자인 시스템 관리,화면 흐름 개선|y3600-6500r
그래픽 디자이너|그래픽디자이너,시각 디자이너|design|Photoshop,Illustrator,Figma,인쇄 지식,사진 보정,색채 감각|포스터 디자인,제품 포장 디자인,행사 홍보물 제작,브랜드 로고 제작|y3000-5000r
영상 편집자|영상 편집,동영상 편집자|design|Premiere Pro,After Effects,Photoshop,자막 제작,촬영,색보정|홍보 영상 편집,강의 영상 편집,짧은 영상 제작,행사 영상 제작|y2900-4800r
마케터|마케팅 담당자,마케팅|office|GA4,Excel,SNS,Photoshop,SQL,문서 작성|온라인 광고 운영,신제품 홍보,이벤트 기획,고객 소식지 제작|y3200-5600r
콘텐츠 에디터|에디터,콘텐츠 작가|office|글쓰기,취재,SNS,Photoshop,교정교열,사진 촬영|소식지 글 작성,인터뷰 기사 작성,상품 소개 글 작성,블로그 운영|y2900-4600r
영업 담당자|영업,영업사원|office|고객 상담,CRM,Excel,제안서 작성,운전면허,협상|신규 거래처 발굴,거래처 관리,제안서 발표,매출 관리|y3000-5800
해외영업 담당자|해외영업,무역 담당자|office|영어 회화,무역 실무,Excel,ERP,일본어 회화,협상|해외 거래처 관리,수출 서류 작성,전시회 참가,수출 상담|y3400-6000
인사 담당자|인사,HR 담당자|office|노무 지식,Excel,ERP,면접 진행,문서 작성,급여 계산|채용 운영,급여 관리,교육 운영,평가 제도 운영|y3200-5400
회계 담당자|회계,경리|office|Excel,ERP,전산회계,세무 지식,결산,문서 작성|월 결산,세금계산서 관리,비용 처리,회계 감사 대응|y3000-5200
총무 담당자|총무|office|Excel,문서 작성,ERP,비품 관리,계약 관리,운전면허|사무실 관리,비품 구매,행사 준비,차량 관리|y2900-4500
사무 보조|사무보조,사무 보조원|office|Excel,문서 작성,전화 응대,자료 정리,ERP,우편 관리|자료 입력,전화 응대,서류 정리,회의 준비|h10300-12500
고객 상담원|상담원,콜센터 상담원,고객상담|office|전화 응대,고객 상담,CRM,문서 작성,Excel,경청|전화 상담,채팅 상담,불만 접수 처리,예약 변경 안내|y2700-3900r
간호사|병동 간호사,간호|health|간호사 면허,환자 응대,투약 관리,응급 처치,전자의무기록,야간 근무|병동 환자 간호,외래 진료 보조,수술실 간호,건강 검진 업무|y3600-5800
간호조무사|간호 조무사|health|간호조무사 자격,환자 응대,접수 업무,진료 보조,전자의무기록,소독 관리|진료 보조,접수와 수납,기구 소독,환자 안내|y2700-3600
물리치료사|물리 치료사|health|물리치료사 면허,도수 치료,운동 치료,환자 응대,재활 지식,기록 작성|재활 치료,도수 치료,운동 처방,통증 치료|y3000-4800
치과위생사|치과 위생사,치위생사|health|치과위생사 면허,스케일링,환자 응대,진료 보조,방사선 촬영,예약 관리|스케일링,치과 진료 보조,구강 교육,예약 관리|y3000-4600
약사|약국 약사|health|약사 면허,복약 지도,재고 관리,환자 응대,조제,전산 입력|처방 조제,복약 지도,의약품 관리,일반약 상담|y5500-8500
요양보호사|요양 보호사|health|요양보호사 자격,어르신 돌봄,응급 처치,식사 보조,기록 작성,운전면허|어르신 돌봄,식사와 이동 보조,방문 요양,생활 지원|h10500-13500
사회복지사|사회 복지사|health|사회복지사 자격,상담,프로그램 기획,문서 작성,Excel,운전면허|복지 상담,프로그램 운영,후원자 관리,사례 관리|y2800-4000
요리사|셰프,조리사,주방 요리사|food|한식 조리,양식 조리,조리 자격,위생 관리,식재료 관리,칼질|점심 메뉴 조리,신메뉴 개발,식재료 손질,주방 운영|y2900-4800
제빵사|제과제빵사,빵 굽는 사람|food|제과제빵 자격,반죽,오븐 사용,위생 관리,케이크 장식,재료 관리|식빵과 과자 생산,케이크 제작,신제품 개발,반죽 준비|y2800-4300
바리스타|카페 바리스타,카페 직원|food|커피 추출,라테 아트,고객 응대,위생 관리,재고 관리,음료 제조|음료 제조,매장 운영,원두 관리,손님 응대|h10300-13000
홀 매니저|홀매니저,홀 서빙|food|고객 응대,예약 관리,직원 교육,매출 관리,위생 관리,주문 관리|손님 안내,예약 관리,직원 일정 관리,매장 청결 관리|y2800-4200
영양사|급식 영양사|food|영양사 면허,식단 작성,위생 관리,원가 관리,Excel,식재료 관리|식단 작성,급식 위생 관리,식재료 발주,영양 상담|y2800-4000
물류 관리자|물류,물류 담당자,물류관리|logistics|WMS,Excel,재고 관리,지게차 면허,ERP,배차 관리|입출고 관리,재고 조사,배차 조정,물류 센터 운영|y3000-5000
배송 기사|배송기사,배달 기사,택배 기사|logistics|운전면허,지리 감각,고객 응대,상하차,시간 관리,차량 점검|지역 배송,새벽 배송,반품 회수,정기 배송|y3000-5200
지게차 기사|지게차 운전원,지게차|logistics|지게차 면허,상하차,안전 관리,재고 관리,장비 점검,WMS|자재 상하차,창고 정리,출고 준비,장비 점검|y2900-4300
창고 직원|창고 관리원,창고 알바|logistics|재고 관리,상하차,포장,WMS,바코드 사용,체력|상품 포장,상품 분류,재고 정리,출고 검수|h10300-13000
생산직 사원|생산직,공장 직원|factory|설비 조작,교대 근무,품질 검사,안전 관리,포장,조립|부품 조립,설비 운전,제품 포장,공정 점검|y2900-4500
품질 관리자|품질관리,품질 담당자|factory|품질 검사,Excel,통계 지식,측정기 사용,문서 작성,ERP|제품 검사,불량 원인 분석,협력사 점검,검사 기준 관리|y3200-5200
설비 엔지니어|설비 보전원,설비 관리자|factory|PLC,전기 지식,설비 보전,도면 이해,안전 관리,AutoCAD|설비 점검,고장 수리,자동화 설비 개선,예방 정비|y3400-5800
용접사|용접공,용접|factory|용접 자격,도면 이해,안전 관리,절단,배관,측정기 사용|철 구조물 용접,배관 용접,부품 용접,용접 검사|y3200-5400
전기 기사|전기기사,전기 기술자|building|전기기사 자격,도면 이해,안전 관리,배선,AutoCAD,수배전 지식|건물 전기 관리,배선 공사,수배전 설비 점검,조명 공사|y3200-5400
건축 설계사|건축설계사,건축 설계|building|AutoCAD,도면 작성,모형 제작,건축법 지식,Photoshop,현장 조사|주택 설계,상가 설계,인허가 도면 작성,리모델링 설계|y3200-5600
현장 소장|현장소장,공사 현장 소장|building|공정 관리,안전 관리,도면 이해,원가 관리,협력사 관리,AutoCAD|공사 일정 관리,현장 안전 관리,협력사 조율,품질 점검|y4500-7500
시설 관리자|시설관리,건물 관리인|building|시설 점검,전기 지식,소방 지식,안전 관리,배관,민원 응대|건물 점검,소방 시설 관리,냉난방 설비 관리,민원 처리|y2700-3900
경비원|건물 경비원,보안 요원|building|경비 교육 이수,순찰,출입 관리,민원 응대,교대 근무,응급 처치|출입 관리,야간 순찰,주차 안내,방문객 안내|h10300-12000
초등 강사|초등 학원 강사,초등학생 강사|education|수업 준비,학생 상담,교재 이해,교원 자격,문서 작성,경청|국어와 수학 수업,학습 상담,숙제 지도,방과 후 수업|y2700-4300
영어 강사|영어 선생님,영어 학원 강사|education|영어 회화,수업 준비,학생 상담,교재 이해,문법 지도,발음 지도|중학생 영어 수업,회화 수업,시험 대비 수업,성인 회화 수업|y2800-5000
유치원 교사|유치원 선생님,유아 교사|education|유치원 교사 자격,아동 돌봄,수업 준비,학부모 상담,안전 관리,놀이 지도|놀이 수업,생활 지도,학부모 상담,행사 준비|y2700-3800
보육교사|보육 교사,어린이집 교사|education|보육교사 자격,아동 돌봄,놀이 지도,안전 관리,기록 작성,학부모 상담|영아 돌봄,놀이 활동 진행,알림장 작성,낮잠과 식사 지도|y2600-3600
헬스 트레이너|트레이너,PT 강사|shop|운동 지도,체력 측정,회원 상담,재활 지식,응급 처치,식단 지도|개인 운동 지도,회원 관리,단체 수업 진행,체력 측정|y2700-5000
미용사|헤어 디자이너,미용실 직원|shop|미용사 자격,커트,염색,펌,고객 상담,예약 관리|커트와 펌 시술,염색 시술,고객 상담,예약 관리|y2700-4800
매장 판매원|판매원,매장 직원,판매 직원|shop|고객 응대,재고 관리,상품 진열,포스 사용,매출 관리,포장|상품 판매,매장 진열,계산,재고 정리|h10300-12500
편의점 직원|편의점 알바,편의점 아르바이트|shop|고객 응대,포스 사용,상품 진열,재고 관리,청소,야간 근무|계산,상품 진열,매장 청소,물품 검수|h10300-12000
호텔 프런트 직원|호텔 프런트,호텔 직원|shop|영어 회화,고객 응대,예약 관리,일본어 회화,전화 응대,교대 근무|체크인 안내,예약 관리,객실 문의 응대,요금 정산|y2700-4000
여행 상담원|여행사 직원,여행 설계사|shop|고객 상담,예약 관리,영어 회화,Excel,상품 기획,일본어 회화|여행 상품 상담,일정 설계,항공 예약,단체 여행 관리|y2700-4200r
`;

function parseRole(line: string): Role {
  const [name, aliases, field, skills, duties, pay] = line.split("|");
  const range = /^([yh])(\d+)-(\d+)(r?)$/.exec(pay ?? "");
  if (!name || !aliases || !field || !skills || !duties || !range) {
    throw new Error(`expected name|aliases|field|skills|duties|pay, got ${JSON.stringify(line)}`);
  }
  return {
    name,
    aliases: aliases.split(","),
    field: field as Field,
    skills: skills.split(","),
    duties: duties.split(","),
    pay: { per: range[1] === "y" ? "year" : "hour", from: Number(range[2]), to: Number(range[3]) },
    remote: range[4] === "r",
  };
}

export const ROLES: readonly Role[] = TABLE.trim().split("\n").map(parseRole);

/** Jobs that no posting offers: the model learns to say so. */
export const UNKNOWN_ROLES = (
  "우주비행사 대통령 마법사 축구선수 아이돌 가수 배우 국회의원 용사 해적 탐정 산타클로스 유튜버 " +
  "파일럿 선장 판사 검사 변호사 외교관 소방관 경찰관 군인 천문학자 고고학자 잠수부 광부 어부 농부"
).split(" ");
