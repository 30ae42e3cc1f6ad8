import { parseRoles } from "../roles.js";

/** See `parseRoles`; pay is in dollars a year, or dollars an hour. */
const TABLE = `
backend developer|backend engineer,server developer|software|Java,Python,SQL,Docker,Linux,Kafka|building payment APIs,running the order service,speeding up the database|y70000-130000r
frontend developer|front-end developer,web developer|software|JavaScript,TypeScript,React,CSS,HTML,Figma|building web pages,making shared components,improving page speed|y65000-120000r
app developer|mobile developer,iOS developer|software|Swift,Kotlin,Java,Figma,SQL,Git|building a delivery app,redesigning app screens,adding app payments|y70000-125000r
data analyst|data specialist|software|SQL,Python,Excel,Tableau,statistics,reporting|studying sales figures,making dashboards,testing new ideas|y60000-105000r
data engineer|data pipeline engineer|software|Python,SQL,Spark,Airflow,Kafka,Docker|building data pipelines,running the data warehouse,checking data quality|y80000-140000r
machine learning engineer|ML engineer|software|Python,PyTorch,SQL,Docker,statistics,Linux|training ranking models,sorting documents,forecasting demand|y90000-160000r
system administrator|sysadmin,server administrator|software|Linux,networking,Python,backups,Docker,security|running office servers,managing backups,looking after the network|y55000-95000
security engineer|security specialist|software|Linux,Python,networking,security,Docker,SQL|handling incidents,testing for weak spots,managing access|y80000-140000r
test engineer|QA engineer,tester|software|Python,Java,SQL,Selenium,reporting,Git|testing new versions,automating tests,tracking bugs|y55000-95000r
game developer|game programmer|software|Unity,Python,Git,Linux,3D modeling,teamwork|building a mobile game,writing game tools,running game servers|y60000-115000r
product manager|product owner|office|planning,Excel,SQL,Figma,writing,teamwork|planning the product,sorting customer wishes,setting release dates|y75000-135000r
project manager|project lead|office|planning,Excel,budgeting,writing,teamwork,reporting|planning projects,leading meetings,tracking budgets|y65000-115000r
graphic designer|visual designer|design|Photoshop,Illustrator,Figma,typography,printing,drawing|designing posters,designing packages,drawing logos|y42000-75000r
UX designer|interface designer|design|Figma,HTML,CSS,user research,drawing,writing|designing app screens,testing with users,improving forms|y60000-110000r
video editor|film editor|design|Premiere,After Effects,Photoshop,filming,sound editing,storytelling|editing adverts,editing lessons,making short clips|y40000-72000r
photographer|product photographer|design|photography,lighting,Photoshop,retouching,customer service,planning|photographing products,photographing events,retouching pictures|y35000-65000
marketing specialist|marketer|office|writing,Excel,SQL,social media,Photoshop,reporting|running online adverts,planning events,writing newsletters|y48000-85000r
copywriter|content writer|office|writing,editing,research,social media,interviewing,storytelling|writing product texts,writing blog posts,writing adverts|y42000-75000r
translator|interpreter|office|Spanish,French,German,writing,editing,research|translating manuals,translating contracts,checking translations|y40000-72000r
sales representative|salesperson|office|negotiation,customer service,Excel,CRM,driving license,presentations|finding new clients,looking after clients,preparing offers|y42000-85000
recruiter|hiring specialist|office|interviewing,Excel,writing,negotiation,planning,CRM|finding candidates,leading interviews,planning job fairs|y45000-80000r
accountant|bookkeeper|office|Excel,bookkeeping,tax knowledge,ERP,reporting,budgeting|closing the month,checking invoices,preparing tax returns|y50000-88000r
office assistant|office clerk|office|Excel,typing,phone calls,filing,writing,ERP|answering calls,filing papers,preparing meetings|h16-24
receptionist|front desk clerk|office|phone calls,customer service,typing,Spanish,booking systems,filing|welcoming visitors,answering calls,booking rooms|h15-23
customer support agent|call center agent|office|phone calls,customer service,CRM,typing,Spanish,writing|answering calls,chatting with customers,handling complaints|y34000-52000r
lawyer|legal counsel|office|contract law,negotiation,writing,research,presentations,tax knowledge|reviewing contracts,advising managers,preparing cases|y80000-160000
nurse|registered nurse|health|nursing license,patient care,first aid,record keeping,night shifts,teamwork|caring for patients,preparing operations,running checkups|y58000-98000
dentist|dental surgeon|health|dental license,patient care,X-rays,record keeping,first aid,teamwork|treating teeth,advising patients,running checkups|y110000-190000
pharmacist|chemist|health|pharmacy license,patient care,stock keeping,record keeping,customer service,first aid|filling prescriptions,advising patients,checking stock|y90000-140000
physical therapist|physiotherapist|health|therapy license,patient care,exercise planning,massage,record keeping,teamwork|treating back pain,planning exercises,leading group classes|y62000-98000
caregiver|care worker|health|patient care,first aid,cooking,record keeping,driving license,patience|helping at home,preparing meals,going for walks|h15-22
veterinarian|vet|health|animal care,surgery,X-rays,record keeping,first aid,customer service|treating pets,running checkups,advising owners|y80000-130000
chef|cook|food|cooking,baking,menu planning,hygiene,stock keeping,teamwork|cooking lunches,planning menus,running the kitchen|y38000-68000
baker|pastry chef|food|baking,cake decorating,hygiene,early shifts,stock keeping,teamwork|baking bread,decorating cakes,preparing dough|y32000-52000
barista|cafe worker|food|coffee making,customer service,hygiene,stock keeping,cash register,latte art|making coffee,serving guests,opening the cafe|h14-21
waiter|server|food|customer service,hygiene,wine knowledge,cash register,Spanish,teamwork|serving tables,taking orders,setting tables|h13-20
truck driver|lorry driver|logistics|truck license,loading,route planning,vehicle checks,night shifts,patience|driving long routes,delivering food,delivering furniture|y46000-78000
courier|delivery driver|logistics|driving license,route planning,loading,customer service,vehicle checks,patience|delivering parcels,collecting returns,delivering meals|h16-24
warehouse worker|stock clerk|logistics|loading,packing,forklift license,stock keeping,scanning,teamwork|packing goods,sorting goods,counting stock|h16-23
forklift operator|forklift driver|logistics|forklift license,loading,safety,stock keeping,vehicle checks,scanning|moving pallets,loading trucks,tidying the yard|h18-26
elementary teacher|primary teacher|education|teaching license,lesson planning,patience,record keeping,storytelling,music|teaching math and reading,meeting parents,leading school trips|y45000-75000
English tutor|English teacher|education|English grammar,lesson planning,patience,Spanish,writing,online teaching|teaching small groups,preparing exams,teaching online|h20-40r
music teacher|piano teacher|education|piano,singing,lesson planning,patience,music,teaching license|teaching piano,leading a choir,preparing concerts|y40000-68000
preschool teacher|kindergarten teacher|education|child care,lesson planning,patience,first aid,music,storytelling|leading play groups,telling stories,meeting parents|y32000-50000
machine operator|factory worker|factory|machine operation,quality checks,safety,packing,shift work,repairs|running a press,checking parts,packing goods|y34000-54000
quality inspector|quality controller|factory|quality checks,measuring,Excel,reporting,safety,statistics|checking parts,finding causes of faults,visiting suppliers|y42000-70000
welder|metal worker|factory|welding license,reading plans,safety,cutting,measuring,repairs|welding frames,welding pipes,repairing machines|y42000-72000
mechanic|car mechanic|factory|repairs,welding,measuring,customer service,driving license,safety|repairing engines,changing brakes,checking vehicles|y40000-68000
electrician|electrical technician|building|electrical license,wiring,reading plans,safety,measuring,repairs|wiring houses,repairing lights,checking machines|y48000-84000
carpenter|joiner|building|woodwork,reading plans,safety,measuring,cutting,repairs|building roofs,fitting doors,making stairs|y42000-72000
plumber|pipe fitter|building|plumbing license,reading plans,safety,cutting,repairs,customer service|fitting bathrooms,repairing pipes,fitting heaters|y46000-82000
architect|building designer|building|drawing,AutoCAD,building law,model making,planning,presentations|designing houses,designing shops,drawing plans|y60000-110000
gardener|landscaper|building|plant care,tree cutting,driving license,planning,repairs,safety|looking after parks,planting trees,mowing lawns|h16-25
security guard|watchman|building|first aid,safety,night shifts,customer service,reporting,patience|guarding a building,checking visitors,walking rounds|h15-22
hairdresser|hair stylist|shop|cutting hair,coloring,customer service,booking systems,hygiene,cash register|cutting hair,coloring hair,advising guests|y30000-52000
fitness trainer|personal trainer|shop|exercise planning,first aid,customer service,massage,nutrition,presentations|leading classes,planning exercises,advising members|y34000-62000
shop assistant|store clerk|shop|customer service,cash register,stock keeping,packing,Spanish,decorating|serving customers,filling shelves,decorating windows|h14-20
hotel clerk|hotel receptionist|shop|customer service,booking systems,Spanish,French,phone calls,night shifts|welcoming guests,booking rooms,answering calls|y32000-48000
travel agent|trip planner|shop|customer service,booking systems,Spanish,planning,negotiation,writing|planning trips,booking flights,advising travelers|y36000-58000r
librarian|library clerk|education|filing,research,booking systems,storytelling,writing,patience|helping readers,ordering books,leading reading hours|y42000-68000
`;

export const ROLES = parseRoles(TABLE, { year: 1000, hour: 1 });

/** Jobs that no posting offers: the model learns to say so. */
export const UNKNOWN_ROLES = (
  "astronaut,president,wizard,football player,pop star,movie star,pirate,knight,spy,princess,king,wrestler,ghost hunter," +
  "time traveler,lion tamer,magician,clown,dragon rider,prime minister,treasure hunter,superhero,monk,fortune teller"
).split(",");
